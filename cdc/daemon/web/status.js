"use strict";
// Shows /api/v1/status every two seconds. All text goes in through textContent, never as HTML.

const interval = 2000;
const operations = ["insert", "update", "delete", "truncate", "message"];

const byId = (id) => document.getElementById(id);

function element(name, text, className) {
  const node = document.createElement(name);
  node.textContent = text === null || text === undefined || text === "" ? "–" : String(text);
  if (className) node.className = className;
  return node;
}

function row(...cells) {
  const node = document.createElement("tr");
  node.append(...cells);
  return node;
}

const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
const numberCell = (value) => element("td", number(value), "number");

function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function seconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 120 ? `${value.toFixed(1)} s` : `${Math.round(value / 60)} min`;
}

function list(id, entries) {
  byId(id).replaceChildren(...entries.flatMap(([term, text]) => [element("dt", term), element("dd", text)]));
}

function show(status) {
  const source = status.source;
  document.title = `${status.name} · ${status.state}`;
  byId("name").textContent = status.name;
  byId("state").textContent = status.state.replaceAll("_", " ");
  byId("state").className = `badge ${status.ready ? "good" : "bad"}`;
  byId("detail").textContent = `${status.state_detail} since ${status.since}`;

  list("source", [
    ["server", source.peer && `${source.peer}, PostgreSQL ${source.server_version}`],
    ["database", source.database],
    ["slot / publication", `${source.slot} / ${source.publication}`],
    ["system identifier, timeline", source.system_identifier && `${source.system_identifier}, ${source.timeline}`],
    ["confirmed", source.confirmed_lsn],
    ["received", source.received_lsn],
    ["server's end of WAL", source.server_lsn],
    ["lag", `${bytes(source.lag_bytes)}, ${seconds(source.lag_seconds)}` +
      (source.server_clock_ahead ? " (the server's clock is ahead of ours)" : "") +
      (source.waits_for_standby ? " (the server waits for a standby of its synchronized_standby_slots)" : "")],
    ["WAL kept for the slot", bytes(source.retained_wal_bytes)],
    ["last message from the server", source.last_message_age_seconds === null ? "–"
      : `${seconds(source.last_message_age_seconds)} ago`],
  ]);
  byId("sinks").replaceChildren(...status.sinks.map((sink) => row(
    element("td", sink.id), element("td", sink.kind), element("td", sink.position),
    numberCell(sink.events), element("td", bytes(sink.bytes), "number"),
    element("td", bytes(sink.in_flight_bytes), "number"),
    numberCell(sink.undeliverable.records),
    element("td", sink.stalled_because, sink.stalled_because ? "bad" : ""))));
  byId("checks").replaceChildren(...status.checks.map((check) => row(
    element("td", check.ok ? "ok" : "failed", check.ok ? "good" : "bad"),
    element("td", check.name), element("td", check.detail))));
  byId("tables").replaceChildren(...status.tables.map((table) => row(
    element("td", table.table || "(logical messages)"),
    ...operations.map((operation) => numberCell(table.events[operation])))));
  const error = status.last_error;
  list("pipeline", [
    ["in flight", `${bytes(status.in_flight_bytes)} of ${bytes(status.in_flight_limit)}`],
    ["transactions received", number(status.transactions)],
    ["reconnects", number(status.reconnects)],
    ["last error", error && `${error.time} ${error.text}${error.sqlstate ? ` (SQLSTATE ${error.sqlstate})` : ""}`],
    ["version", status.version],
    ["running since", status.started],
  ]);
}

async function refresh() {
  try {
    const response = await fetch("api/v1/status", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    show(await response.json());
    byId("unreachable").hidden = true;
  } catch {
    byId("unreachable").hidden = false;
  }
  setTimeout(refresh, interval);
}

refresh();
