"use strict";
// The picture of a running Troupe: asks /status once a second, and talks to the model by the API that everybody uses.
(() => {
  const KEPT = 120;
  const $ = id => document.getElementById(id);
  const seconds = [];
  const rates = [[], []];
  const busy = [];
  let before = null;
  let status = null;
  let rateChart = null;
  let busyChart = null;
  const messages = [];
  let answer = null;

  const headers = () => {
    const key = sessionStorage.getItem("troupe-key");
    return key ? { Authorization: "Bearer " + key } : {};
  };

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = ["--a", "--b", "--c", "--d"];

  const range = (from, to) => (to - from === 1 ? String(from) : from + " to " + (to - 1));

  async function look() {
    try {
      const response = await fetch("/status", { headers: headers() });
      $("key-form").hidden = response.status !== 401;
      if (!response.ok) throw new Error(response.status === 401 ? "a key is needed" : "HTTP " + response.status);
      status = await response.json();
      show();
    } catch (failure) {
      $("headline").textContent = "no answer: " + failure.message;
    }
    setTimeout(look, 1000);
  }

  function show() {
    const now = status;
    $("headline").textContent = now.model + " · " + (now.serving ? "serving, epoch " + now.epoch : "not ready") + " · " + now.numerics;
    $("nodes").textContent = now.nodes.length ? "nodes: " + now.nodes.join(", ") : "all in this process";
    const stages = $("stages");
    stages.replaceChildren();
    now.stages.forEach(stage => {
      const box = element("div", undefined, "stage");
      box.append(element("b", "stage " + stage.stage), " layers " + range(stage.from_layer, stage.to_layer));
      const ranks = element("div", undefined, "ranks");
      stage.ranks.forEach((rank, index) => {
        const cell = element("div", "rank " + index, "rank");
        cell.append(element("small", rank.slot), element("small", "KV groups " + range(rank.from_group, rank.to_group)));
        ranks.append(cell);
      });
      box.append(ranks);
      stages.append(box);
    });
    blocks(now.kv);
    running(now.generations);
    charts(now);
    before = now;
  }

  function blocks(kv) {
    const parts = [["held", kv.held, "--a"], ["cached", kv.cached, "--c"], ["retiring", kv.retiring, "--b"], ["free", kv.free, "--line"]];
    const bar = $("kv");
    bar.replaceChildren();
    parts.forEach(([name, count, tint]) => {
      if (count > 0) {
        const part = element("span");
        part.style.flex = String(count);
        part.style.background = "var(" + tint + ")";
        part.title = name + " " + count;
        bar.append(part);
      }
    });
    const text = parts.filter(part => part[1] > 0).map(part => part[1] + " " + part[0]).join(", ");
    $("kv-text").textContent = text + " of " + kv.blocks + " blocks" + (kv.hit_tokens > 0 ? "; " + kv.hit_tokens + " prompt tokens were found" : "");
    bar.setAttribute("aria-label", "KV blocks: " + text);
  }

  function running(generations) {
    const rows = $("running");
    rows.replaceChildren();
    $("idle").hidden = generations.length > 0;
    generations.forEach(generation => {
      const row = element("tr");
      const cancel = element("button", "cancel");
      cancel.addEventListener("click", () => fetch("/v1/generations/" + generation.id, { method: "DELETE", headers: headers() }));
      const last = element("td");
      last.append(cancel);
      row.append(element("td", generation.id.slice(0, 8)), element("td", String(generation.tokens)), last);
      rows.append(row);
    });
  }

  function charts(now) {
    if (!before || now.uptime_seconds <= before.uptime_seconds) return;
    const span = now.uptime_seconds - before.uptime_seconds;
    seconds.push(Date.now() / 1000);
    rates[0].push(Math.max(0, (now.completion_tokens - before.completion_tokens) / span));
    rates[1].push(Math.max(0, (now.computed_tokens - before.computed_tokens) / span));
    while (busy.length < now.stages.length) busy.push(seconds.slice(1).map(() => null));
    busy.forEach((series, index) => {
      const stage = now.stages[index];
      const past = before.epoch === now.epoch ? before.stages[index] : undefined;
      series.push(stage && past ? Math.max(0, Math.min(100, 100 * (stage.compute_seconds - past.compute_seconds) / span)) : null);
    });
    [seconds, ...rates, ...busy].forEach(series => {
      while (series.length > KEPT) series.shift();
    });
    rateChart = draw(rateChart, "rate-chart", [seconds, ...rates], ["completion tokens", "computed tokens"], null);
    busyChart = draw(busyChart, "busy-chart", [seconds, ...busy], busy.map((_, index) => "stage " + index), [0, 100]);
  }

  function draw(chart, id, data, names, limits) {
    if (chart && chart.series.length === names.length + 1) {
      chart.setData(data);
      return chart;
    }
    if (chart) chart.destroy();
    const ink = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line") } };
    return new uPlot({
      width: Math.max(200, $(id).clientWidth),
      height: 170,
      series: [{}, ...names.map((name, index) => ({ label: name, stroke: () => colour(COLOURS[index % 4]), width: 1.5, points: { show: false } }))],
      axes: [ink, ink],
      scales: limits ? { y: { range: limits } } : { y: { range: (_, low, high) => [0, Math.max(1, high)] } },
    }, data, $(id));
  }

  window.addEventListener("resize", () => [[rateChart, "rate-chart"], [busyChart, "busy-chart"]].forEach(([chart, id]) => {
    if (chart) chart.setSize({ width: Math.max(200, $(id).clientWidth), height: 170 });
  }));

  function line(text, className) {
    const made = element("p", text, className);
    $("talk").append(made);
    made.scrollIntoView({ block: "nearest" });
    return made;
  }

  async function say(text) {
    line(text, "you");
    const shown = line("", "model");
    answer = new AbortController();
    $("send").disabled = true;
    $("stop").disabled = false;
    try {
      if (status && status.chat) {
        const asked = [...messages, { role: "user", content: text }];
        try {
          await stream("/v1/chat/completions", { messages: asked }, shown, choice => choice.delta.content || "");
        } finally {
          // What was stopped half-way stays part of the talk; what never began does not.
          if (shown.textContent) messages.splice(0, messages.length, ...asked, { role: "assistant", content: shown.textContent });
        }
      } else {
        await stream("/v1/completions", { prompt: text, max_tokens: 200 }, shown, choice => choice.text);
      }
    } catch (failure) {
      if (failure.name !== "AbortError") line(failure.message, "error");
    }
    $("send").disabled = false;
    $("stop").disabled = true;
    $("say").focus();
  }

  async function stream(path, body, shown, textOf) {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers() },
      body: JSON.stringify({ model: status ? status.model : "", stream: true, temperature: 0.7, ...body }),
      signal: answer.signal,
    });
    if (!response.ok) throw new Error((await response.json()).error.message);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      events.forEach(event => {
        const data = event.split("\n").filter(text => text.startsWith("data: ")).map(text => text.slice(6)).join("\n");
        if (!data || data === "[DONE]") return;
        const message = JSON.parse(data);
        if (message.error) throw new Error(message.error.message);
        message.choices.forEach(choice => { shown.textContent += textOf(choice); });
      });
    }
  }

  $("say-form").addEventListener("submit", event => {
    event.preventDefault();
    const text = $("say").value;
    if (text.trim() && !$("send").disabled) {
      $("say").value = "";
      say(text);
    }
  });
  $("say").addEventListener("keydown", event => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      $("say-form").requestSubmit();
    }
  });
  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && answer) answer.abort();
  });
  $("stop").addEventListener("click", () => answer.abort());
  $("key-form").addEventListener("submit", event => {
    event.preventDefault();
    sessionStorage.setItem("troupe-key", $("key").value);
    $("key").value = "";
  });
  look();
})();
