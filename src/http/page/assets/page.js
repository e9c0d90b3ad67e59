// Brings what stands in an element with data-live up to date, and nothing else: the page works
// without it. What somebody is writing in is left alone, and so is a page that nobody looks at.
"use strict";

(() => {
  const live = () => [...document.querySelectorAll("[data-live][id]")];

  const busy = (element) =>
    element.contains(document.activeElement) &&
    document.activeElement.matches("input, textarea, select, [contenteditable]") ||
    [...element.querySelectorAll("textarea, input:not([type=hidden])")].some(
      (field) => field.value !== field.defaultValue) ||
    [...element.querySelectorAll("details[open]")].length > 0;

  const refresh = async () => {
    if (document.hidden || live().every(busy)) return;
    let answer;
    try {
      answer = await fetch(location.href, {
        headers: { "X-Dosed-Live": "1" },
        credentials: "same-origin",
        redirect: "manual",
      });
    } catch {
      // The daemon or the way to it is down: what is shown says as of when it is.
      document.body.classList.add("stale");
      return;
    }
    if (answer.status === 401) {
      location.reload();
      return;
    }
    document.body.classList.toggle("stale", !answer.ok);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const element of live()) {
      const other = fresh.getElementById(element.id);
      if (!other || busy(element)) continue;
      const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
      element.replaceChildren(...other.childNodes);
      if (focused) document.getElementById(focused)?.focus();
    }
    const footer = document.querySelector("footer");
    const other = fresh.querySelector("footer");
    if (footer && other) footer.replaceChildren(...other.childNodes);
  };

  const pause = Math.min(...live().map((element) => Number(element.dataset.live) || 30));
  if (Number.isFinite(pause)) {
    setInterval(refresh, pause * 1000);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  }
})();

// A text that is checked while it is written: the form says where (data-check) and into which
// element the answer goes (data-into). Without this script a button does the same.
(() => {
  const form = document.querySelector("form[data-check][data-into]");
  if (!form) return;
  const text = form.querySelector("textarea");
  let timer = 0;
  let turn = 0;

  const check = async () => {
    const mine = ++turn;
    let answer;
    try {
      answer = await fetch(form.dataset.check, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        credentials: "same-origin",
        redirect: "manual",
      });
    } catch {
      document.body.classList.add("stale");
      return;
    }
    // Somebody has written on meanwhile: the answer to that comes later.
    if (mine !== turn || !answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const into = document.getElementById(form.dataset.into);
    const other = fresh.getElementById(form.dataset.into);
    if (mine !== turn || !into || !other) return;
    document.body.classList.remove("stale");
    // The verdict stays the same element, so that a screen reader says what changes in it.
    const [said, says] = [into.querySelector("[role=status]"), other.querySelector("[role=status]")];
    if (said && says) {
      if (said.textContent !== says.textContent) said.replaceChildren(...says.childNodes);
      says.remove();
      while (said.nextSibling) said.nextSibling.remove();
      into.append(...other.childNodes);
    } else {
      into.replaceChildren(...other.childNodes);
    }
  };

  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, 600);
  });
})();

// Whoever leaves a page in which they have written something is asked first. What is sent is not
// lost.
(() => {
  let leaving = false;
  // What a browser puts back into a form that was sent is nobody's new text.
  const touched = new Set();
  const written = () => [...touched].filter(
    (field) => field.isConnected && field.value !== field.defaultValue);
  addEventListener("input", ({ target }) => {
    if (target.matches("form textarea")) touched.add(target);
  });
  addEventListener("submit", (event) => {
    leaving = written().every((field) => field.form === event.target);
  });
  addEventListener("pageshow", () => { leaving = false; });
  addEventListener("beforeunload", (event) => {
    if (!leaving && written().length > 0) event.preventDefault();
  });
})();
