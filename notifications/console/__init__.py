"""The operator's console: pages of the admin that show more than the rows of one table.

Each is a `Page` (`notifications.console.pages`), in a module of its own, on the site that shows
them all (`notifications.console.site`).
"""
