"use strict";
(() => {
  const EVERY_MS = 1000;
  const board = document.querySelector("#board"), lost = document.querySelector("#lost");
  const theme = document.querySelector("#theme"), root = document.documentElement;
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.hidden = false;
  name();
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    name();
  });
  let silent = 0;
  const look = async () => {
    try {
      const answer = await fetch("board", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      // The server escapes every text in it.
      board.innerHTML = await answer.text();
      silent = 0;
      lost.hidden = true;
      if (answer.headers.get("x-run") === "over") return;
    } catch {
      silent += 1;
      lost.hidden = silent < 3;
    }
    setTimeout(look, EVERY_MS);
  };
  setTimeout(look, EVERY_MS);
})();
