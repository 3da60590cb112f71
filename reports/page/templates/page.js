"use strict";
(() => {
  const status = document.getElementById("status");
  const say = (text) => { status.textContent = text; };

  const value = (row, column) => {
    const cell = row.cells[column];
    if (cell === undefined) return "";
    if (!("sort" in cell.dataset)) return cell.textContent.trim().toLowerCase();
    return cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
  };

  const compare = (a, b, direction) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return direction * order;
  };

  const sort = (table, column) => {
    const heads = [...table.tHead.rows[0].cells];
    const ascending = heads[column].getAttribute("aria-sort") !== "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [value(row, column), row]);
    rows.sort((x, y) => compare(x[0], y[0], ascending ? 1 : -1));
    body.append(...rows.map((pair) => pair[1]));
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
    say(`Sorted by ${heads[column].textContent}, ${ascending ? "ascending" : "descending"}.`);
  };

  // a spreadsheet must not run text from the data as a formula
  const safe = (text, isNumber) => (!isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text);

  const asText = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => {
    const text = cell.textContent.trim().replace(/\s+/g, " ");
    return safe(text, "sort" in cell.dataset);
  }).join("\t")).join("\n");

  const copyByHand = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };

  const copy = async (text, what) => {
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      done = copyByHand(text);
    }
    say(done ? `Copied: ${what}.` : `Could not copy ${what}; select it and copy by hand.`);
    return done;
  };

  const addCopyButton = (after, name, read) => {
    const tools = document.createElement("p");
    const button = document.createElement("button");
    tools.className = "tools";
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${name}`);
    button.addEventListener("click", async () => {
      button.textContent = (await copy(read(), name)) ? "Copied" : "Not copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    tools.append(button);
    after.after(tools);
  };

  document.querySelectorAll("main table").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, column));
    });
    addCopyButton(table.parentElement, `the table ${table.dataset.name}`, () => asText(table));
  });

  document.querySelectorAll("pre[data-copy]").forEach((pre) => {
    addCopyButton(pre, pre.getAttribute("aria-label"), () => pre.textContent.trim());
  });

  const wide = window.matchMedia("(min-width: 64rem)");
  const contents = document.querySelector("nav details");
  const fit = () => { contents.open = wide.matches; };
  wide.addEventListener("change", fit);
  fit();

  const closed = [];
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("main details:not([open])").forEach((details) => {
      details.open = true;
      closed.push(details);
    });
  });
  window.addEventListener("afterprint", () => {
    closed.splice(0).forEach((details) => { details.open = false; });
  });
})();
