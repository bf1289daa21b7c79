"""The shop of the announcements, with a page to announce from and the lab's impatience."""
