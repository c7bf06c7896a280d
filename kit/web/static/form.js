// A form that survives a lost connection, and, where its writer asked for it, a closed page. Everything works without this file.
"use strict";
(() => {
  const PREFIX = "doithoai.draft.";
  const DAYS_KEPT = 30;
  const REACHED_WITHIN = 8_000; // milliseconds

  // A browser may refuse its store (private window, full); then there is no draft.
  const store = {
    read(key) {
      try {
        const draft = JSON.parse(localStorage.getItem(PREFIX + key));
        return draft && Date.now() - draft.at < DAYS_KEPT * 86_400_000 ? draft.values : null;
      } catch {
        return null;
      }
    },
    write(key, values) {
      try {
        localStorage.setItem(PREFIX + key, JSON.stringify({ at: Date.now(), values }));
        return true;
      } catch {
        return false;
      }
    },
    remove(key) {
      try {
        localStorage.removeItem(PREFIX + key);
      } catch {
        // nothing was kept
      }
    },
  };

  const show = (element) => {
    if (!element) return;
    element.hidden = false;
    element.focus();
  };

  // What is typed: no files, no hidden fields, and no consent, which is given anew each time.
  const NOT_TYPED = ["hidden", "file", "submit", "button"];
  const typed = (form) =>
    [...form.elements].filter((e) => e.name && !["consent", "drop"].includes(e.name) && !NOT_TYPED.includes(e.type));

  const valuesOf = (form) => {
    const values = {};
    for (const e of typed(form)) {
      if (e.type === "radio" || e.type === "checkbox") {
        if (e.checked) values[e.name] = e.value;
      } else if (e.value) values[e.name] = e.value;
    }
    return values;
  };

  const fillIn = (form, values) => {
    for (const e of typed(form)) {
      if (!(e.name in values)) continue;
      if (e.type === "radio" || e.type === "checkbox") e.checked = e.value === values[e.name];
      else if (!e.value) e.value = values[e.name];
    }
  };

  const keepDrafts = (form, key) => {
    const block = form.querySelector("[data-keep]");
    const wish = form.querySelector("[data-keep-draft]");
    const restored = form.querySelector("[data-restored]");
    if (!block || !wish) return;
    block.hidden = false;
    const draft = store.read(key);
    wish.checked = draft !== null;
    if (draft && form.hasAttribute("data-fresh")) {
      fillIn(form, draft);
      show(restored);
    }
    let waiting = 0;
    const save = () => {
      clearTimeout(waiting);
      if (!wish.checked) return;
      if (!store.write(key, valuesOf(form))) wish.checked = false;
    };
    const later = () => {
      clearTimeout(waiting);
      waiting = setTimeout(save, 300);
    };
    if (draft && !form.hasAttribute("data-fresh")) save(); // what came back from the site is newer
    form.addEventListener("input", later);
    window.addEventListener("pagehide", save);
    wish.addEventListener("change", () => (wish.checked ? save() : store.remove(key)));
    form.querySelector("[data-discard]")?.addEventListener("click", () => {
      wish.checked = false;
      store.remove(key);
      form.reset();
      restored.hidden = true;
      typed(form)[0]?.focus();
    });
  };

  const reaches = async () => {
    const style = document.querySelector("link[rel=stylesheet]");
    if (!style) return true;
    try {
      await fetch(style.href, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(REACHED_WITHIN) });
      return true;
    } catch {
      return false;
    }
  };

  const isTooLarge = (form) => {
    const files = [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
    return files.reduce((sum, file) => sum + file.size, 0) > Number(form.dataset.most || Infinity);
  };

  // The browser itself sends, once the site is known to be within reach: what it cannot send it would throw away with the page.
  const sendWhenReached = (form) => {
    const offline = form.querySelector("[data-offline]");
    const large = form.querySelector("[data-too-large]");
    let asking = false;
    let reached = false;
    form.addEventListener("submit", async (event) => {
      if (reached) return;
      event.preventDefault();
      if (asking) return;
      for (const notice of [offline, large]) if (notice) notice.hidden = true;
      if (isTooLarge(form)) return show(large);
      asking = true;
      const submitter = event.submitter;
      reached = await reaches();
      asking = false;
      if (!reached) return show(offline);
      form.requestSubmit(submitter);
      reached = false; // a page that is come back to asks again
    });
  };

  for (const form of document.querySelectorAll("form[data-form]")) {
    sendWhenReached(form);
    if (form.dataset.draft) keepDrafts(form, form.dataset.draft);
  }
  for (const receipt of document.querySelectorAll("[data-sent]")) store.remove(receipt.dataset.sent);
})();
