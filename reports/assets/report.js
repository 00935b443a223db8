"use strict";
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const data = (id) => JSON.parse(one("#" + id)?.textContent ?? "null");
  /** An element with a class, and texts or elements in it; texts never become markup. */
  const make = (tag, name, ...inside) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...inside.filter((part) => part !== null && part !== undefined));
    return element;
  };
  const swatch = (name) => {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const square = document.createElementNS(space, "rect");
    svg.setAttribute("viewBox", "0 0 10 10");
    for (const [key, value] of [["class", name], ["width", 10], ["height", 10], ["rx", 2.5]]) {
      square.setAttribute(key, value);
    }
    svg.append(square);
    return svg;
  };

  // Numbers as everywhere else in the report.
  const count = (value) => Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  const threeDigits = (value) => {
    if (value === 0) return "0";
    if (value < 0.9995) return value.toFixed(3);
    if (value < 9.995) return value.toFixed(2);
    return value < 99.95 ? value.toFixed(1) : value.toFixed(0);
  };
  const duration = (micros) => {
    const seconds = micros / 1e6, millis = micros / 1e3;
    if (millis < 999.5) return threeDigits(millis) + " ms";
    return (seconds < 999.5 ? threeDigits(seconds) : count(seconds)) + " s";
  };
  const short = (micros) => duration(micros).replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " ");

  // Light and dark.
  const theme = one("#theme");
  const darkNow = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const nameTheme = () => { theme.textContent = darkNow() ? "Light" : "Dark"; };
  theme.hidden = false;
  nameTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = darkNow() ? "light" : "dark";
    nameTheme();
  });

  // Which part is being read.
  const links = new Map(all("nav.parts a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-70px 0px -70% 0px" });
  all("main > section").forEach((section) => seen.observe(section));

  // Commands to copy.
  const copy = async (button) => {
    const code = one("code", button.parentElement);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  all("button.copy").forEach((button) => { button.hidden = false; });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button);
  });
  const command = (text) => {
    const button = make("button", "copy", "Copy");
    button.type = "button";
    return make("div", "command", make("code", "", text), button);
  };

  // The dialog.
  const dialog = one("#dialog");
  const open = (title, inside) => {
    const close = make("button", "", "Close");
    close.type = "button";
    close.addEventListener("click", () => dialog.close());
    const heading = make("h2", "", title);
    heading.id = "dialog-title";
    dialog.replaceChildren(make("div", "head", heading, close), make("div", "inside", ...inside));
    dialog.showModal();
    dialog.scrollTop = 0;
  };
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  // Cells of the matrix open their cases.
  const article = (number) => {
    const details = one("#case-" + number);
    const caption = make("div", "caption");
    caption.append(...[...one("summary", details).childNodes].map((node) => node.cloneNode(true)));
    const body = one(".casebody", details).cloneNode(true);
    return make("article", details.className.replace("case", "").trim(), caption, body);
  };
  all("a.cell").forEach((cell) => cell.addEventListener("click", (event) => {
    event.preventDefault();
    open(cell.dataset.clause, cell.dataset.cases.split(" ").map(article));
  }));

  // Looking for cases.
  const casebar = one("#casebar");
  if (casebar) {
    casebar.hidden = false;
    const search = one("input", casebar), buttons = all("button", casebar);
    let verdict = "";
    const rest = one("#rest");
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      if (rest) rest.open = Boolean(verdict || words.length);
      for (const details of all("details.case")) {
        const fits = !verdict || details.dataset.verdict === verdict;
        const text = fits && words.length ? details.textContent.toLowerCase() : "";
        details.hidden = !fits || !words.every((word) => text.includes(word));
      }
      if (rest) rest.hidden = all("details.case", rest).every((details) => details.hidden);
    };
    search.addEventListener("input", filter);
    buttons.forEach((button) => button.addEventListener("click", () => {
      verdict = button.dataset.verdict;
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      filter();
    }));
  }
  addEventListener("beforeprint", () => {
    all("details.case.fail, details.case.error").forEach((details) => { details.open = true; });
  });

  // What the charts show at one moment.
  const timeline = data("timeline-data"), area = one("#area");
  if (area && timeline.levels.length) {
    const last = timeline.levels.length - 1;
    const hairs = [area, one("#traffic")].map((chart) => {
      const hair = make("div", "hair");
      hair.hidden = true;
      chart.append(hair);
      return hair;
    });
    const tip = make("div", "tip");
    tip.hidden = true;
    area.append(tip);
    let at = last;
    const line = (name, word, value) =>
      make("div", "", swatch(name), make("span", "", word), make("span", "", value));
    const show = (place) => {
      at = Math.max(0, Math.min(last, place));
      const plot = one(".plot", area);
      const left = plot.getBoundingClientRect().left - area.getBoundingClientRect().left;
      const x = left + (at + 1) / (last + 1) * plot.getBoundingClientRect().width;
      hairs.forEach((hair) => { hair.hidden = false; hair.style.left = x + "px"; });
      const levels = timeline.levels[at], traffic = timeline.traffic[at];
      const lines = timeline.stages
        .map(([name, word], stage) => [name, word, levels[stage]])
        .filter(([, , phones]) => phones > 0)
        .map(([name, word, phones]) => line(name, word, count(phones)));
      const seconds = timeline.width_us / 1e6;
      const rates = [["t-requests", "requests/s"], ["t-retries", "retries/s"],
        ["t-errors", "errors/s"]];
      rates.forEach(([name, word], kind) => {
        if (traffic[kind]) lines.push(line(name, word, count(traffic[kind] / seconds)));
      });
      const after = "after " + short((at + 1) * timeline.width_us);
      tip.replaceChildren(make("b", "", after), ...lines);
      tip.hidden = false;
      const width = tip.offsetWidth, room = area.clientWidth;
      tip.style.left = (x + 14 + width > room ? Math.max(0, x - width - 14) : x + 14) + "px";
      tip.style.top = "12px";
    };
    const hide = () => [tip, ...hairs].forEach((element) => { element.hidden = true; });
    const point = (event) => {
      const box = one(".plot", area).getBoundingClientRect();
      show(Math.floor((event.clientX - box.left) / box.width * (last + 1)));
    };
    for (const chart of [area, one("#traffic")]) {
      chart.addEventListener("pointermove", point);
      chart.addEventListener("pointerdown", point);
      chart.addEventListener("pointerleave", hide);
    }
    area.addEventListener("focus", () => { if (area.matches(":focus-visible")) show(at); });
    area.addEventListener("blur", hide);
    area.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
      const jump = { Home: 0, End: last }[event.key];
      if (step === undefined && jump === undefined) return;
      event.preventDefault();
      show(jump ?? at + step);
    });
  }

  // The table of phones: only the rows in sight exist.
  const phones = data("phones-data"), box = one("#phonebox");
  if (box && phones) {
    box.hidden = false;
    const ROW = 34, BEYOND = 8;
    const frame = one(".phones", box), search = one("input", box);
    const choice = one("select", box), status = one("[role=status]", box);
    const firstWrong = (row) => (row[9] < 0 ? null : phones.wrong[row[9]]);
    const why = (row) => {
      const wrong = firstWrong(row);
      if (wrong) return wrong[0] + ": " + wrong[1];
      return row[10] < 0 ? "" : "limit reached: " + phones.limits[row[10]];
    };
    const columns = [
      ["phone", (row) => row[0], (row) => count(row[0]), "number"],
      ["MAC", (row) => row[1], (row) => make("code", "", row[1])],
      ["model", (row) => phones.profiles[row[2]]],
      ["firmware", (row) => phones.firmware[row[3]]],
      ["outcome", (row) => row[4], (row) => {
        const word = phones.outcomes[row[4]];
        return make("span", "pill " + word.replace(" ", "_"), word);
      }],
      ["settled", (row) => (row[6] < 0 ? Infinity : row[6]),
        (row) => (row[6] < 0 ? "–" : duration(row[6])), "number"],
      ["first wrong step", why],
    ];
    const cell = (name, ...inside) => {
      const element = make("div", name, ...inside);
      element.setAttribute("role", "cell");
      return element;
    };
    let shown = phones.rows, order = 0, down = false;
    const title = make("div", "row title");
    title.setAttribute("role", "row");
    columns.forEach(([name, , , side], place) => {
      const button = make("button", side ?? "", name);
      button.type = "button";
      button.addEventListener("click", () => {
        down = order === place && !down;
        order = place;
        sort();
      });
      const heading = make("div", side ?? "", button);
      heading.setAttribute("role", "columnheader");
      title.append(heading);
    });
    const before = make("div"), list = make("div"), after = make("div");
    list.setAttribute("role", "rowgroup");
    frame.append(title, before, list, after);
    const draw = () => {
      const from = Math.max(0, Math.floor(frame.scrollTop / ROW) - BEYOND);
      const to = Math.min(shown.length, from + Math.ceil(frame.clientHeight / ROW) + 2 * BEYOND);
      before.style.height = from * ROW + "px";
      after.style.height = (shown.length - to) * ROW + "px";
      list.replaceChildren(...shown.slice(from, to).map((row, place) => {
        const line = make("div", "row item");
        line.setAttribute("role", "row");
        line.setAttribute("aria-rowindex", String(from + place + 2));
        line.tabIndex = 0;
        line.dataset.phone = row[0];
        line.append(...columns.map(([, value, view, side]) =>
          cell(side ?? "", (view ?? value)(row))));
        return line;
      }));
    };
    const sort = () => {
      const value = columns[order][1];
      const compare = (left, right) => {
        const [one, two] = [value(left), value(right)];
        const by = one < two ? -1 : one > two ? 1 : left[0] - right[0];
        return down ? -by : by;
      };
      shown = [...shown].sort(compare);
      all("button", title).forEach((button, place) => {
        button.removeAttribute("aria-sort");
        if (place === order) {
          button.setAttribute("aria-sort", down ? "descending" : "ascending");
        }
      });
      draw();
    };
    const look = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const outcome = choice.value === "" ? -1 : Number(choice.value);
      shown = phones.rows.filter((row) => {
        if (outcome >= 0 && row[4] !== outcome) return false;
        if (!words.length) return true;
        const text = [row[0], row[1], phones.profiles[row[2]], phones.firmware[row[3]],
          phones.outcomes[row[4]], why(row)].join(" ").toLowerCase();
        return words.every((word) => text.includes(word.replace(/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/,
          (mac) => mac.replace(/[:-]/g, ""))));
      });
      status.textContent = count(shown.length) + " of " + count(phones.rows.length);
      frame.setAttribute("aria-rowcount", String(shown.length + 1));
      frame.scrollTop = 0;
      sort();
    };
    choice.append(new Option("every outcome", ""));
    phones.outcomes.forEach((word, outcome) => {
      const many = phones.rows.filter((row) => row[4] === outcome).length;
      if (many) choice.append(new Option(word + " (" + count(many) + ")", String(outcome)));
    });
    const tell = (index) => {
      const row = phones.rows.find((row) => row[0] === index);
      const list = make("dl");
      const say = (name, ...value) => list.append(make("dt", "", name), make("dd", "", ...value));
      const code = (text) => make("code", "", text);
      const word = phones.outcomes[row[4]];
      say("outcome", make("span", "pill " + word.replace(" ", "_"), word));
      say("MAC", code(row[1]));
      say("model", phones.profiles[row[2]]);
      if (phones.firmware[row[3]]) say("firmware", phones.firmware[row[3]]);
      say("switched on after", short(row[5]));
      say("settled", row[6] < 0 ? "never" : duration(row[6]) + " later");
      if (row[7] + row[8]) say("reboots", row[7] + ", and " + row[8] + " soft");
      const wrong = firstWrong(row);
      if (wrong) say("first wrong step", code(wrong[0]), ": " + wrong[1]);
      if (row[10] >= 0) say("limit reached", phones.limits[row[10]]);
      const differs = phones.differences[row[0]];
      if (differs) {
        const [key, expected, held, source] = differs;
        say("setting", code(key));
        say("expected", code(expected));
        say("held", ...(held === null ? ["nothing"] : [code(held)]),
          source ? " from " + source : "");
      }
      const again = phones.repeat.replaceAll("{phone}", () => String(row[0]));
      open("Phone " + row[0], [list, ...(again ? [make("h4", "", "Repeat it"), command(again)]
        : [])]);
    };
    const chosen = (event) => {
      const line = event.target.closest(".row.item");
      if (line) tell(Number(line.dataset.phone));
    };
    list.addEventListener("click", chosen);
    list.addEventListener("keydown", (event) => { if (event.key === "Enter") chosen(event); });
    frame.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
    addEventListener("resize", draw);
    search.addEventListener("input", look);
    choice.addEventListener("change", look);
    look();
  }
})();
