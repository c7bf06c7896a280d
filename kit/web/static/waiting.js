// How many wait behind an entry of the staff's bar, where the service that draws the page does not know: intake is asked by the
// reader's own browser, which has the session. Without its answer the entries are links like the others.
(() => {
  const { address } = document.currentScript.dataset;

  const show = (place, count) => {
    if (!count) return;
    const said = Object.assign(document.createElement("span"), { className: "sr", textContent: " đang chờ" });
    place.replaceChildren(String(count), said);
    place.hidden = false;
  };

  const ask = async () => {
    const answer = await fetch(address, { redirect: "error" });
    if (!answer.ok) return;
    const counts = await answer.json();
    document.querySelectorAll("[data-count]").forEach((place) => show(place, counts[place.dataset.count]));
  };

  ask().catch(() => {}); // intake is away: it tells when it is back, with the next page
})();
