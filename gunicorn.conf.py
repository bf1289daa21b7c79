"""gunicorn's settings for the web process: `gunicorn orders_site.wsgi`."""

import os

bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = 4  # a request waits for the database only: providers and AWS are asked elsewhere
control_socket_disable = True  # it would be one for all of a user's checkouts, in the home folder
