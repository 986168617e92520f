"use strict";
// The picture of a running Troupe: asks /status once a second, and talks to the model by the API that everybody uses.
(() => {
  const KEPT = 120;
  const $ = id => document.getElementById(id);
  const seconds = [];
  const rates = [[], []];
  const busy = [];
  let before = null;
  let held = false;
  let shownPlan = "";
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

  /** Of whole numbers from one up to, but not with, another. */
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
    const past = before && before.epoch === now.epoch && now.uptime_seconds > before.uptime_seconds ? before : null;
    $("headline").textContent = now.model + " · " + (now.serving ? "serving, epoch " + now.epoch : "not ready") + " · " + now.numerics;
    $("nodes").textContent = now.nodes.length > 1 ? "nodes: " + now.nodes.join(", ") : "all in one process";
    pipeline(now, past);
    stages(now, past);
    blocks(now.kv);
    running(now);
    charts(now);
    before = now;
  }

  const percent = part => (100 * Math.max(0, Math.min(1, part))).toFixed(0) + " %";

  function pipeline(now, past) {
    if (held) return;
    TroupeTimeline.draw($("timeline"), now.timeline, now.stages.length);
    const sums = now.pipeline;
    // Of the last second, or of the whole epoch where nothing was computed in it.
    const from = past && sums.busy_seconds > past.pipeline.busy_seconds && sums.steps > past.pipeline.steps ? past : null;
    const since = key => sums[key] - (from ? from.pipeline[key] : 0);
    const busy = since("busy_seconds");
    const steps = since("steps");
    if (!(busy > 0) || steps === 0) return;
    const count = now.stages.length;
    const inFlight = since("step_seconds") / busy;
    const bubbles = now.stages.map((stage, index) =>
      "stage " + index + " " + percent((stage.bubble_seconds - (from ? from.stages[index].bubble_seconds : 0)) / busy));
    $("pipeline").textContent = "Bubble: " + bubbles.join(", ") + "; (S − 1) / (M + S − 1) is " + percent((count - 1) / (inFlight + count - 1))
      + " with S = " + count + " stages and M = " + inFlight.toFixed(1) + " steps in flight. A step takes "
      + TroupeTimeline.duration(since("step_seconds") / steps) + ", with " + (since("step_sequences") / steps).toFixed(1) + " sequences and "
      + (since("step_tokens") / steps).toFixed(1) + " tokens.";
  }

  /** Made once for an epoch, then only filled: what is read or selected stays where it is. */
  function stageBoxes(now) {
    const plan = JSON.stringify([now.epoch, now.stages.length]);
    if (plan === shownPlan) return;
    shownPlan = plan;
    $("stages").replaceChildren(...now.stages.map(stage => {
      const box = element("div", undefined, "stage");
      const head = element("div", undefined, "stage-head");
      head.append(element("b", "stage " + stage.stage), element("span", "layers " + range(stage.from_layer, stage.to_layer)), element("span"));
      const bar = element("div", undefined, "bar");
      bar.setAttribute("role", "img");
      ["compute", "exchange", "bubble", "rest"].forEach(part => bar.append(element("span", undefined, part)));
      const ranks = element("div", undefined, "ranks");
      stage.ranks.forEach((rank, index) => {
        const cell = element("div", "rank " + index + " on " + rank.device, "rank");
        cell.append(element("small", rank.node), element("small", "KV groups " + range(rank.from_group, rank.to_group)), element("small"));
        ranks.append(cell);
      });
      box.append(head, bar, ranks);
      return box;
    }));
  }

  function stages(now, past) {
    stageBoxes(now);
    const span = past ? now.uptime_seconds - past.uptime_seconds : 0;
    const tokens = past ? now.pipeline.step_tokens - past.pipeline.step_tokens : 0;
    now.stages.forEach((stage, index) => {
      const box = $("stages").children[index];
      box.querySelectorAll(".rank").forEach((cell, rank) => {
        const { compute_seconds: compute, exchange_wait_seconds: wait } = stage.ranks[rank];
        cell.lastChild.textContent = stage.ranks.length > 1 && compute > 0 ? "waits " + percent(wait / (compute + wait)) + " of its time" : "";
      });
      if (!past) return;
      const [compute, exchange, bubble] = ["compute_seconds", "exchange_wait_seconds", "bubble_seconds"].map(key => Math.max(0, stage[key] - past.stages[index][key]));
      const parts = [compute, exchange, bubble, Math.max(0, span - compute - exchange - bubble)];
      [...box.querySelectorAll(".bar span")].forEach((part, number) => { part.style.flexGrow = parts[number] / span; });
      const text = "computes " + percent(compute / span) + (stage.ranks.length > 1 ? ", waits for sums " + percent(exchange / span) : "") + ", bubble " + percent(bubble / span);
      box.querySelector(".bar").setAttribute("aria-label", text);
      box.querySelector(".stage-head").lastChild.textContent = Math.round(tokens / span) + " tokens/s · "
        + (compute > 0 ? Math.round(tokens / compute) + " tokens/s while it computes · " : "") + text;
    });
  }

  function blocks(kv) {
    const parts = [["held", "in use"], ["cached", "kept to be found"], ["retiring", "waiting for a step"], ["free", "free"]];
    const bar = $("kv");
    if (bar.children.length === 0) {
      parts.forEach(([name, title]) => {
        bar.append(element("span", undefined, "kv-" + name));
        const line = element("li");
        line.append(element("i", undefined, "kv-" + name), element("b"), " " + title);
        $("kv-legend").append(line);
      });
    }
    parts.forEach(([name], index) => {
      bar.children[index].style.flexGrow = kv[name];
      $("kv-legend").children[index].querySelector("b").textContent = kv[name];
    });
    const share = kv.queried_tokens > 0 ? " of " + kv.queried_tokens + " (" + percent(kv.hit_tokens / kv.queried_tokens) + ")" : "";
    $("kv-text").textContent = kv.blocks + " blocks of " + kv.block_size + " tokens. " + kv.hit_tokens + share + " prompt tokens were found and not computed.";
    bar.setAttribute("aria-label", "KV blocks: " + parts.map(([name, title]) => kv[name] + " " + title).join(", "));
  }

  /** Rows stay as long as their generations, so that the keyboard's focus does. */
  function running(now) {
    const rows = $("running");
    const generations = now.generations;
    $("queue").textContent = "All clients: " + now.running_sequences + " sequences are computed, " + now.waiting_sequences + " wait for KV blocks.";
    $("idle").hidden = generations.length > 0;
    $("running-table").hidden = generations.length === 0;
    [...rows.children].forEach(row => {
      if (!generations.some(generation => generation.id === row.dataset.id)) row.remove();
    });
    generations.forEach(generation => {
      let row = [...rows.children].find(one => one.dataset.id === generation.id);
      if (!row) {
        row = element("tr");
        row.dataset.id = generation.id;
        const cancel = element("button", "Cancel");
        cancel.setAttribute("aria-label", "Cancel generation " + generation.id.slice(0, 8));
        cancel.addEventListener("click", () => fetch("/v1/generations/" + generation.id, { method: "DELETE", headers: headers() }));
        const last = element("td");
        last.append(cancel);
        row.append(element("td", generation.id.slice(0, 8)), element("td"), last);
        rows.append(row);
      }
      row.children[1].textContent = generation.tokens;
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

  const charted = () => [[rateChart, "rate-chart"], [busyChart, "busy-chart"]].filter(([chart]) => chart);
  window.addEventListener("resize", () => {
    charted().forEach(([chart, id]) => chart.setSize({ width: Math.max(200, $(id).clientWidth), height: 170 }));
    if (status && !held) TroupeTimeline.draw($("timeline"), status.timeline, status.stages.length);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    charted().forEach(([chart]) => chart.destroy());
    rateChart = busyChart = null;
  });

  $("hold").addEventListener("click", () => {
    held = !held;
    $("hold").setAttribute("aria-pressed", String(held));
  });

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
