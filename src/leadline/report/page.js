"use strict";
// The reader of samples. All text goes in as text nodes: nothing of a model's or a data set's is ever parsed as HTML.
(() => {
  const data = JSON.parse(document.getElementById("samples").textContent);
  const say = (i) => data.strings[i];
  const rows = data.rows.map((row) => Object.fromEntries(data.fields.map((name, i) => [name, row[i]])));
  const byId = (id) => document.getElementById(id);
  const controls = { group: byId("f-group"), task: byId("f-task"), length: byId("f-length"), verdict: byId("f-verdict"), audit: byId("f-audit") };
  const search = byId("f-search"), list = byId("list"), sample = byId("sample"), count = byId("count");
  const SHOWN = 150;
  const marks = { right: "✓", wrong: "✗", partly: "◐", none: "–" };
  const words = { right: "right", wrong: "wrong", partly: "partly right", none: "does not count" };
  let found = [], shown = 0, current = null;

  const verdict = (r) => (r.score === null ? "none" : r.score >= 1 ? "right" : r.score <= 0 ? "wrong" : "partly");
  const length = (n) => (n % 1048576 === 0 ? n / 1048576 + "m" : n % 1024 === 0 ? n / 1024 + "k" : n.toLocaleString("en"));
  const element = (name, kind, text) => {
    const e = document.createElement(name);
    if (kind) e.className = kind;
    if (text !== undefined) e.textContent = text;
    return e;
  };

  const fill = (select, values, label) => {
    for (const v of values) {
      const option = element("option", "", label ? label(v) : v);
      option.value = String(v);
      select.append(option);
    }
    select.parentElement.hidden = values.length < 2;
  };
  const distinct = (f) => [...new Set(rows.map(f))];
  fill(controls.group, data.groups.map((_, i) => i), (i) => data.groups[i]);
  fill(controls.task, distinct((r) => r.task), say);
  fill(controls.length, distinct((r) => r.length).sort((a, b) => a - b), length);
  fill(controls.verdict, ["right", "partly", "wrong", "none"].filter((v) => rows.some((r) => verdict(r) === v)), (v) => words[v]);
  fill(controls.audit, distinct((r) => r.audit), say);

  const text = (r) => (r.text ??= [r.item, r.question, r.answer, r.thinking, r.extracted, r.error, ...r.answers, ...r.evidence].map(say).join("\n").toLowerCase());
  const fits = (r) => {
    const c = controls;
    return (!c.group.value || r.group === +c.group.value) && (!c.task.value || r.task === +c.task.value) && (!c.length.value || r.length === +c.length.value) &&
      (!c.verdict.value || verdict(r) === c.verdict.value) && (!c.audit.value || r.audit === +c.audit.value) &&
      (!search.value || text(r).includes(search.value.toLowerCase()));
  };

  const entry = (r) => {
    const li = element("li"), b = element("button"), v = verdict(r);
    b.type = "button";
    const mark = element("span", "mark " + v, marks[v]);
    mark.setAttribute("aria-label", words[v]);
    mark.setAttribute("role", "img");
    b.append(mark, element("span", "what", say(r.task) + (data.groups.length > 1 ? " · " + data.groups[r.group] : "")), element("span", "far", length(r.length)), element("span", "asked", say(r.question)));
    b.addEventListener("click", () => show(r, b));
    r.button = b;
    li.append(b);
    return li;
  };
  const more = () => {
    list.querySelector(".more")?.parentElement.remove();
    const next = found.slice(shown, shown + SHOWN);
    list.append(...next.map(entry));
    shown += next.length;
    if (shown < found.length) {
      const li = element("li"), b = element("button", "more", `Show ${Math.min(SHOWN, found.length - shown)} more`);
      b.type = "button";
      b.addEventListener("click", () => { const first = shown; more(); found[first].button.focus(); });
      li.append(b);
      list.append(li);
    }
  };
  const filter = () => {
    found = rows.filter(fits);
    shown = 0;
    list.replaceChildren();
    more();
    const right = found.filter((r) => verdict(r) === "right").length;
    count.textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} samples, ${right.toLocaleString("en")} right`;
    if (!found.length) list.append(element("li", "empty", "No sample fits these filters."));
    if (found.length && !found.includes(current)) show(found[0], found[0].button);
    else if (current) current.button?.setAttribute("aria-current", "true");
  };

  // The span between the record's marks is the evidence; a text without marks shows the accepted answers in it.
  const passage = (said, answers) => {
    const p = element("p", "text passage");
    p.dir = "auto";
    const [open, close] = data.marks, a = said.indexOf(open), z = said.lastIndexOf(close);
    if (a >= 0 && z > a) {
      p.append(said.slice(0, a), element("mark", "", said.slice(a + open.length, z)), said.slice(z + close.length));
      return p;
    }
    let at = 0;
    while (at < said.length) {
      const hits = answers.filter(Boolean).map((x) => [said.indexOf(x, at), x]).filter(([i]) => i >= 0).sort((x, y) => x[0] - y[0]);
      if (!hits.length) break;
      p.append(said.slice(at, hits[0][0]), element("mark", "", hits[0][1]));
      at = hits[0][0] + hits[0][1].length;
    }
    p.append(said.slice(at));
    return p;
  };
  const block = (title, said, kind) => {
    if (!said) return;
    const p = element("p", "text " + (kind || ""), said);
    p.dir = "auto";
    sample.append(element("h4", "", title), p);
  };
  const show = (r, button) => {
    current?.button?.removeAttribute("aria-current");
    current = r;
    button?.setAttribute("aria-current", "true");
    const v = verdict(r), head = element("h3", v), score = r.score === null ? "" : ` (${Math.round(r.score * 100)} of 100)`;
    head.textContent = `${marks[v]} ${words[v]}${v === "partly" ? score : ""}`;
    const facts = [data.groups[r.group], say(r.task), length(r.length) + " tokens", `${r.tokens.toLocaleString("en")} used`, say(r.audit)];
    if (r.depths.length) facts.push("depth " + r.depths.map((d) => Math.round(100 * d) + " %").join(", "));
    if (r.seconds !== null) facts.push(r.seconds.toPrecision(3) + " s");
    if (r.prior !== null) facts.push(`${Math.round(100 * r.prior)} of 100 without its context`);
    sample.replaceChildren(head, element("p", "facts", facts.join(" · ")));
    block("Question", say(r.question));
    block(r.answers.length > 1 ? "Accepted answers" : "Accepted answer", r.answers.map(say).join("\n"));
    block("Answer as given", say(r.answer) || "(nothing)", "raw");
    block("Thinking", say(r.thinking), "raw");
    if (say(r.extracted) !== say(r.answer)) block("Read from it", say(r.extracted));
    block("Error", say(r.error), "raw");
    if (r.evidence.length) sample.append(element("h4", "", "Evidence, with the text around it"), ...r.evidence.map((e) => passage(say(e), r.answers.map(say))));
    sample.append(element("h4", "", "The whole prompt"), element("code", "command", say(r.command)));
    sample.scrollTop = 0;
  };

  for (const c of Object.values(controls)) c.addEventListener("change", filter);
  search.addEventListener("input", filter);
  list.addEventListener("keydown", (e) => {
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[e.key];
    if (!step) return;
    const next = step > 0 ? document.activeElement.parentElement.nextElementSibling : document.activeElement.parentElement.previousElementSibling;
    const button = next?.querySelector("button");
    if (!button) return;
    e.preventDefault();
    button.focus();
    if (!button.classList.contains("more")) button.click();
  });
  filter();
  document.documentElement.dataset.ready = String(found.length);
})();
