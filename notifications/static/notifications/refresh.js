/* Keeps a part of a page up to date without taking anything out of anybody's hands.

   <div id="overview" data-refresh="5" data-refresh-url="…">: every five seconds the page (or the
   URL) is fetched again, the element of the same id is looked up in it, and only what differs is
   changed: focus, scroll, selected text and open <details> stay. What is being typed stays too.
   Rows that come and go carry `data-key`, so that they are found again.

   A bar with data-refresh-bar="overview" says how old it is and pauses it. Nothing is fetched while
   the tab is hidden; after a failure the next try waits longer; signed out, it stops. */
"use strict";

(() => {
  const LONGEST = 60;
  const KEPT = new Set(["open"]); // of an attribute it is the reader who decides

  const keyOf = (node) =>
    node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id || "" : "";

  const alike = (one, other) =>
    one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

  const isSelected = (node) => {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && selection.containsNode(node, true));
  };

  function morphAttributes(old, fresh) {
    for (const { name, value } of [...fresh.attributes])
      if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes])
      if (!KEPT.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }

  function morph(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data && !isSelected(old)) old.data = fresh.data;
      return;
    }
    if (old.matches("input, select, textarea") && old === document.activeElement) return;
    morphAttributes(old, fresh);
    morphChildren(old, fresh);
  }

  function morphChildren(old, fresh) {
    const keyed = new Map();
    for (const child of old.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
    const wanted = new Set([...fresh.childNodes].map(keyOf));
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      // What has a key and is gone makes way, so that the rest is found at its place.
      while (place && keyOf(place) && !wanted.has(keyOf(place))) {
        const gone = place;
        place = place.nextSibling;
        gone.remove();
      }
      const known = keyOf(child) ? keyed.get(keyOf(child)) : null;
      if (known && alike(known, child)) {
        // The blanks before it go, rather than it be moved, which would cost it the focus.
        while (place && place !== known && place.nodeType === Node.TEXT_NODE) {
          const blank = place;
          place = place.nextSibling;
          blank.remove();
        }
        if (known === place) place = place.nextSibling;
        else old.insertBefore(known, place);
        morph(known, child);
      } else if (place && !keyOf(child) && alike(place, child)) {
        const next = place.nextSibling;
        morph(place, child);
        place = next;
      } else {
        old.insertBefore(document.importNode(child, true), place);
      }
    }
    while (place) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  }

  /* Moved in the document an element loses the focus, and one that is gone leaves it nowhere. */
  function keepingFocus(region, change) {
    const focused = document.activeElement;
    const within = focused && focused !== document.body && region.contains(focused);
    const scrolls = [...region.querySelectorAll(".notifications-scroll")].map((each) => [
      each, each.scrollLeft, each.scrollTop,
    ]);
    change();
    for (const [each, left, top] of scrolls) {
      if (each.scrollLeft !== left) each.scrollLeft = left;
      if (each.scrollTop !== top) each.scrollTop = top;
    }
    if (!within || document.activeElement === focused) return;
    if (focused.isConnected) focused.focus({ preventScroll: true });
    else {
      region.tabIndex = -1;
      region.focus({ preventScroll: true });
    }
  }

  class Refresh {
    constructor(region) {
      this.region = region;
      this.every = Math.max(1, Number(region.dataset.refresh) || 5);
      this.url = region.dataset.refreshUrl || window.location.href;
      this.bar = document.querySelector(`[data-refresh-bar="${region.id}"]`);
      this.readAt = Date.now();
      this.failures = 0;
      this.paused = this.stopped = false;
      this.timer = 0;
      this.wire();
      this.plan();
      window.setInterval(() => this.tell(), 1000);
    }

    part(name) {
      return this.bar && this.bar.querySelector(`[data-refresh-${name}]`);
    }

    wire() {
      document.addEventListener("visibilitychange", () => {
        if (document.hidden) window.clearTimeout(this.timer);
        else if (!this.paused && !this.stopped) this.read();
      });
      const again = this.part("again");
      if (again)
        again.addEventListener("click", (event) => {
          if (this.stopped) return; // the link itself leads to where one signs in
          event.preventDefault();
          this.read();
        });
      const toggle = this.part("toggle");
      if (!toggle) return;
      toggle.hidden = false;
      toggle.addEventListener("click", () => {
        this.paused = !this.paused;
        toggle.textContent = this.paused ? this.bar.dataset.resume : this.bar.dataset.pause;
        this.say(this.paused ? "paused" : "");
        if (this.paused) window.clearTimeout(this.timer);
        else this.read();
      });
    }

    plan() {
      window.clearTimeout(this.timer);
      if (this.paused || this.stopped || document.hidden) return;
      const seconds = Math.min(LONGEST, this.every * 2 ** this.failures);
      this.timer = window.setTimeout(() => this.read(), seconds * 1000);
    }

    async read() {
      window.clearTimeout(this.timer);
      if (this.reading) return;
      this.reading = true;
      try {
        const answer = await fetch(this.url, {
          credentials: "same-origin",
          cache: "no-store",
          redirect: "manual",
          headers: { "X-Requested-With": "refresh" },
          signal: AbortSignal.timeout(20000),
        });
        if (answer.type === "opaqueredirect") this.stop("signedOut");
        else if (answer.status === 401 || answer.status === 403) this.stop("refused");
        else if (!answer.ok) this.fail("refused");
        else this.show(await answer.text());
      } catch {
        this.fail("away");
      } finally {
        this.reading = false;
        this.plan();
      }
    }

    show(html) {
      const page = new DOMParser().parseFromString(html, "text/html");
      const fresh = page.getElementById(this.region.id);
      if (!fresh) {
        this.fail("refused");
        return;
      }
      keepingFocus(this.region, () => morphChildren(this.region, fresh));
      this.readAt = Date.now();
      this.failures = 0;
      this.say(this.paused ? "paused" : "");
      this.tell();
    }

    fail(why) {
      this.failures += 1;
      this.say(why);
    }

    stop(why) {
      this.stopped = true;
      this.say(why);
      const toggle = this.part("toggle");
      if (toggle) toggle.hidden = true;
    }

    say(what) {
      const place = this.part("trouble");
      const text = what ? this.bar.dataset[what] : "";
      if (place && place.textContent !== text) place.textContent = text;
      if (this.bar) this.bar.classList.toggle("notifications-refresh-old", Boolean(what));
    }

    tell() {
      const place = this.part("age");
      if (!place) return;
      const seconds = Math.max(0, Math.round((Date.now() - this.readAt) / 1000));
      place.textContent = this.bar.dataset.asOf
        .replace("{time}", new Date(this.readAt).toLocaleTimeString([], { hour12: false }))
        .replace("{age}", seconds);
    }
  }

  for (const region of document.querySelectorAll("[data-refresh][id]")) new Refresh(region);
})();
