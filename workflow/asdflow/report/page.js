"use strict";
// Without this script the page is complete but still: the table unsorted, the whole of it shown.

(function leaderboard() {
  const table = document.querySelector("table.board");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  const form = document.querySelector("form.filters");
  const more = document.querySelector("button.more");
  const few = Number(table.dataset.rows);
  let all = rows.length <= few;

  function value(row, column, kind) {
    const cell = row.cells[column];
    return kind === "number" ? Number(cell.dataset.v) : cell.textContent.trim().toLowerCase();
  }

  function show() {
    const dataset = form.querySelector("select[name=dataset]");
    table.classList.toggle("one-dataset", Boolean(dataset && dataset.value));
    const wanted = Array.from(form.querySelectorAll("select")).filter((one) => one.value);
    let fitting = 0;
    for (const row of body.rows) {
      const fits = wanted.every((one) => row.dataset[one.name] === one.value);
      row.hidden = !fits || (!all && fitting >= few);
      fitting += fits;
    }
    const seen = all ? fitting : Math.min(fitting, few);
    form.querySelector("output").textContent = seen + " of " + fitting + " systems shown";
    more.hidden = rows.length <= few || (!all && fitting <= few);
    more.textContent = all ? "Show the first " + few : "Show all " + fitting;
  }

  function sort(head) {
    const column = heads.indexOf(head);
    const kind = head.dataset.sort;
    const before = head.getAttribute("aria-sort");
    // Numbers begin with the largest, except the rank; words with "a".
    const first = kind === "number" && column > 0 ? "descending" : "ascending";
    const order = before ? (before === "ascending" ? "descending" : "ascending") : first;
    const sign = order === "ascending" ? 1 : -1;
    const sorted = rows
      .map((row, place) => ({ row, place, key: value(row, column, kind) }))
      .sort((a, b) => sign * (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) || a.place - b.place);
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    body.append(...sorted.map((one) => one.row));
    show();
  }

  for (const head of heads) {
    if (!head.dataset.sort) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head));
    head.append(button);
  }
  form.addEventListener("change", show);
  more.addEventListener("click", () => {
    all = !all;
    show();
  });
  // Scores of different data sets do not compare, so one at a time is shown first.
  const dataset = form.querySelector("select[name=dataset]");
  if (dataset) dataset.selectedIndex = 1;
  form.hidden = !form.querySelector("select");
  show();
})();

(function clips() {
  const figures = Array.from(document.querySelectorAll("figure.clip"));
  const players = figures.map((figure) => figure.querySelector("audio"));
  figures.forEach((figure, index) => {
    const player = players[index];
    const picture = figure.querySelector(".picture");
    const head = picture.querySelector(".head");
    const seconds = Number(getComputedStyle(figure.querySelector(".spectrogram")).getPropertyValue("--seconds"));

    function place() {
      head.style.left = Math.min(100, (100 * player.currentTime) / seconds) + "%";
      if (!player.paused) requestAnimationFrame(place);
    }
    player.addEventListener("play", () => {
      players.forEach((other) => other !== player && other.pause());
      head.hidden = false;
      place();
    });
    player.addEventListener("seeked", place);
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      player.currentTime = (seconds * (event.clientX - box.left)) / box.width;
      player.play();
    });
  });
})();
