/* Makes a form's proof of work (ALTCHA) while the person writes: no click, nothing that blocks typing. Where it cannot run (no
   JavaScript, no secure context) the form is sent without, and the office looks at it first. The words are in the page. */
"use strict";

const PATIENCE = 30_000; // ms that a form which is being sent waits for its proof

function prove(box) {
  const { renew, worker: script } = box.dataset;
  const [seconds, margin] = [Number(box.dataset.seconds), Number(box.dataset.margin)];
  const form = box.closest("form");
  const field = box.querySelector("input");
  const status = box.querySelector("[role=status]");
  const say = (words) => { status.textContent = box.dataset[words]; };
  let challenge = JSON.parse(box.dataset.challenge);
  let since = Date.now(); // of the challenge; only differences count, for clocks are wrong
  let carried = field.value !== ""; // a proof that came back with the form: good for what was sent before, as it was
  let restUntil = carried ? since + margin * 1000 : 0; // nothing to do: the proof in the field is good
  let proving = null;
  let sending = false; // waits for its proof
  let leaving = false;

  async function work() {
    if (!challenge || Date.now() - since > (seconds - margin) * 1000) {
      const answer = await fetch(renew, { cache: "no-store" });
      if (!answer.ok) throw new Error("no challenge");
      challenge = await answer.json();
      since = Date.now();
    }
    const solution = await solve(script, challenge);
    field.value = btoa(JSON.stringify({ challenge, solution }));
    restUntil = since + (seconds - margin) * 1000;
  }

  function giveUp() {
    say("failed");
    restUntil = Date.now() + PATIENCE;
  }

  function begin() {
    if (!proving) {
      carried = false;
      field.value = ""; // what is there may be spent
      say("working");
      proving = work().then(() => say("done"), giveUp).finally(() => { proving = null; });
    }
    return proving;
  }

  form.addEventListener("input", () => { if (carried || Date.now() > restUntil) begin(); });
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented || ["review", "change"].includes(event.submitter?.value)) return; // not sent yet
    if (leaving || (Date.now() < restUntil && !proving)) {
      leaving = false;
      challenge = null; // a proof is good once: what is sent from this page afterwards needs another
      restUntil = 0;
      return;
    }
    event.preventDefault();
    if (sending) return;
    sending = true;
    const proof = begin();
    say("sending");
    Promise.race([proof, new Promise((resolve) => setTimeout(resolve, PATIENCE))]).then(() => {
      [sending, leaving] = [false, true];
      form.requestSubmit(event.submitter);
    });
  });
  say("idle");
  if ("now" in box.dataset) begin();
}

function solve(script, challenge) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(script);
    const end = (settle) => (result) => { worker.terminate(); settle(result); };
    worker.onerror = end(reject);
    worker.onmessage = ({ data }) => (data?.derivedKey ? end(resolve) : end(reject))(data);
    worker.postMessage({ type: "work", challenge });
  });
}

if (window.Worker && window.crypto?.subtle) document.querySelectorAll(".proof").forEach(prove);
