"""gunicorn's settings for the web process: `gunicorn orders_site.wsgi`."""

from notifications import log_config
from orders_site.environment import read

bind = read("WEB_BIND")
workers = read("WEB_CONCURRENCY")
# A request waits for the database only: providers and AWS are asked elsewhere.
threads = read("WEB_THREADS")
if read("LOG_FORMAT") == "json":
    logconfig_dict = log_config.gunicorn(read("LOG_LEVEL"))
control_socket_disable = True  # it would be one for all of a user's checkouts, in the home folder
