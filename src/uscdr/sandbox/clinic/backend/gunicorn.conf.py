"""What the Procfile does not say: stop soon, and leave no control socket in the home directory."""

graceful_timeout = 5
control_socket_disable = True
