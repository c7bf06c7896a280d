// "Có phải Ông/Bà muốn hỏi…": below a field that asks a question, earlier public answers to the like of what is typed.
// The text goes in the body of a POST and is kept nowhere. Without an answer from the server nothing is shown.
(() => {
  const address = document.currentScript.dataset.address;
  const PAUSE = 700; // milliseconds after the last key
  const SHORTEST = 12; // characters

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  const ask = async (text, signal) => {
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams({ text }), signal });
    return answer.ok ? (await answer.json()).answers : [];
  };

  const attend = (field) => {
    const said = element("p", { className: "sr" });
    said.setAttribute("role", "status");
    const list = element("ul", {});
    const box = element("details", { className: "suggestions", open: true, hidden: true },
      element("summary", {}, "Có phải Ông/Bà muốn hỏi…"), list);
    field.after(said, box);
    let timer, asking, shown = "";

    const show = (answers) => {
      const now = answers.map((one) => one.href).join();
      if (now === shown) return; // what has the focus stays
      shown = now;
      list.replaceChildren(...answers.map((one) =>
        element("li", {}, element("a", { href: one.href, target: "_blank", rel: "noopener" }, one.question))));
      box.hidden = answers.length === 0;
      said.textContent = answers.length ? `Có ${answers.length} câu hỏi tương tự đã được trả lời, ở dưới ô này.` : "";
    };

    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        asking?.abort();
        asking = new AbortController();
        const text = field.value.trim();
        try {
          show(text.length < SHORTEST ? [] : await ask(text, asking.signal));
        } catch {
          // No connection, or asked anew meanwhile: the form does not depend on it.
        }
      }, PAUSE);
    });
  };

  document.querySelectorAll('textarea[name^="sections."], textarea[data-suggest]').forEach(attend);
})();
