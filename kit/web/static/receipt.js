// What a receipt offers where there is a script: the code into the clipboard, the page to the printer. All else works without.
"use strict";
(() => {
  const said = document.querySelector("[data-said]");
  const offer = (name, act) => {
    const button = document.querySelector(`button[data-${name}]`);
    if (!button) return;
    button.hidden = false;
    button.addEventListener("click", act);
  };
  if (navigator.clipboard) {
    offer("copy", async () => {
      try {
        await navigator.clipboard.writeText(document.querySelector(".code").textContent.trim());
        said.textContent = "Đã sao chép mã.";
      } catch {
        said.textContent = "Trình duyệt không cho sao chép; xin chọn mã rồi sao chép.";
      }
    });
  }
  offer("print", () => window.print());
})();
