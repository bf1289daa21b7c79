"""The web process: `gunicorn orders_site.wsgi`."""

import os

from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders_site.settings")
application = get_wsgi_application()
# A web process with a wrong setting says so now, not to the first customer.
BaseCommand().check()
