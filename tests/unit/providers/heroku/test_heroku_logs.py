"""The log: a session, then its event stream."""

import pytest
from heroku_wire import Answer, Connect, StartPeer, answer, reset_in_body

from uscdr.errors import ProviderError
from uscdr.providers.heroku.platform import HerokuPlatform, _event_data

pytest_plugins = ("heroku_wire",)

STREAM = b"".join(f"id: {n}\ndata: 2026-01-01T00:00:00+00:00 app[web.1]: line {n}\n\n".encode() for n in range(5))


def test_the_last_lines_come_oldest_first_without_the_token(peer: StartPeer, connect: Connect) -> None:
    source = peer(answer(200, STREAM, Content_Type="text/event-stream"))
    api = peer(answer(201, {"logplex_url": f"{source.url}/stream/x"}))
    lines = HerokuPlatform(connect(api.url)).log_lines("clinic", lines=3)
    assert [line[-6:] for line in lines] == ["line 2", "line 3", "line 4"]
    assert api.requests[0].json() == {"lines": 3, "tail": False}
    assert "authorization" not in source.requests[0].headers
    assert source.requests[0].headers["accept"] == "text/event-stream"


def test_a_broken_stream_is_begun_again_with_a_new_session(peer: StartPeer, connect: Connect) -> None:
    source = peer(reset_in_body, answer(200, STREAM, Content_Type="text/event-stream"))
    api = peer(answer(201, {"logplex_url": f"{source.url}/stream/x"}))
    assert len(HerokuPlatform(connect(api.url)).log_lines("clinic")) == 5
    assert len(api.requests) == 2


@pytest.mark.parametrize("stream", [answer(404, b"gone"), answer(200, STREAM, Content_Type="text/html")])
def test_what_is_no_event_stream_is_an_error(stream: Answer, peer: StartPeer, connect: Connect) -> None:
    source = peer(stream)
    api = peer(answer(201, {"logplex_url": f"{source.url}/stream/x"}))
    with pytest.raises(ProviderError, match="did not return the log"):
        HerokuPlatform(connect(api.url)).log_lines("clinic")


def test_a_stream_in_clear_text_over_the_network_is_refused(peer: StartPeer, connect: Connect) -> None:
    api = peer(answer(201, {"logplex_url": "http://logs.example/stream/canary"}))
    with pytest.raises(ProviderError, match="did not return the log") as caught:
        HerokuPlatform(connect(api.url)).log_lines("clinic")
    assert "canary" not in caught.value.why


def test_events_however_they_are_cut() -> None:
    whole = "id: 1\r\ndata: a\u2028b\r\n\r\n: comment\ndata:c\ndata: d\n\ndata: last".encode()
    expected = ["a\u2028b", "c\nd", "last"]
    assert list(_event_data([whole])) == expected
    assert list(_event_data(bytes([byte]) for byte in whole)) == expected
