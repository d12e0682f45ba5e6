"""Manual pages and the reference of commands: up to date and complete."""

from __future__ import annotations

from collections.abc import Sequence

from tools.pages import man, markdown
from tools.pages.files import MAN, expected, outdated
from tools.pages.tree import Command, Entry, Paragraph, Section, paragraphs, program
from uscdr.cli.app import SECTIONS

PAGES = sorted(MAN.glob("*.1"))


def test_every_page_is_up_to_date() -> None:
    assert outdated(expected()) == [], "run make pages"


def test_a_page_that_differs_and_one_too_many_are_found() -> None:
    assert outdated({**expected(), "commands.md": "old"}) == ["commands.md"]
    rest = {name: text for name, text in expected().items() if name != "man/uscdr-kit.1"}
    assert outdated(rest) == ["man/uscdr-kit.1"]


def test_each_group_and_command_has_a_page() -> None:
    assert {page.stem for page in PAGES} == {
        "uscdr",
        *(f"uscdr-{name}" for names in SECTIONS.values() for name in names),
    }


def test_every_command_and_option_stands_in_both() -> None:
    reference = expected()["commands.md"]
    for one in program().all():
        page = expected()[f"man/{'-'.join(one.path[:2])}.1"].replace("\\-", "-")
        for text in (page, reference):
            assert one.words in text
            assert all(name in text for option in one.options for name in option.names), one.words


# The parts, on commands that are made up.


def made(*children: Command, example: str = "", options: Sequence[Entry] = (), words: str = "uscdr") -> Command:
    said = (Section("EXAMPLES", (Paragraph(example, verbatim=True),)),) if example else ()
    return Command(tuple(words.split()), "Do it", (Paragraph("It looks first."),), (), tuple(options), said, children)


def test_help_texts_are_read_as_the_program_shows_them() -> None:
    text = "First line\nof a paragraph.\n\n\b\nEXAMPLES\n  uscdr a\n  uscdr b"
    assert paragraphs(text) == (
        Paragraph("First line of a paragraph."),
        Paragraph("EXAMPLES\n  uscdr a\n  uscdr b", verbatim=True),
    )


def test_what_a_command_declares_stands_on_its_page_with_its_own_exit_codes() -> None:
    (found,) = [one for one in program().all() if one.words == "uscdr config check"]
    said = {one.title: one for one in found.sections}
    assert list(said) == ["READS", "CHANGES", "EXAMPLES", "EXIT STATUS", "SEE ALSO"]
    assert (2, "the file has errors") in said["EXIT STATUS"].codes
    assert said["EXAMPLES"].paragraphs[0].text.splitlines()[0] == "uscdr config check"


def test_roff_takes_no_text_for_a_request_and_copies_hyphens() -> None:
    odd = Entry(("--odd",), "A\\B", ".hidden 'x' “y” ~/z")
    page = man.pages(made(made(words="uscdr odd", options=[odd])), "1")["uscdr-odd.1"]
    assert "\\-\\-odd" in page
    assert "A\\eB" in page
    assert "\\&.hidden" in page
    assert page.isascii()


def test_a_long_example_is_continued_as_a_shell_does() -> None:
    long = f"uscdr odd {' '.join(['--option value'] * 9)}"
    page = man.pages(made(made(words="uscdr odd", example=long)), "1")["uscdr-odd.1"]
    example = page.partition(".nf\n")[2].partition("\n.fi")[0].replace("\\-", "-").replace("\\e", "\\").splitlines()
    assert len(example) > 1
    assert all(line.endswith(" \\") for line in example[:-1])
    assert all(len(line) <= man.LONGEST for line in example)
    assert " ".join(line.rstrip(" \\").strip() for line in example) == long


def test_the_reference_keeps_its_tables_whole() -> None:
    page = markdown.reference(made(made(words="uscdr odd", options=[Entry(("--to",), "A|B", "x|y")])))
    assert "| `--to A\\|B` | x\\|y |" in page
