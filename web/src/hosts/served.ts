/** The page of `unrolled explore`: it asks its own server, and nobody else. */

import { hash, type About, type Choice, type Host, type Opened } from "./host";

async function ask(path: string, body?: object): Promise<Response> {
  let answered: Response;
  try {
    answered = await fetch(path, body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Error("The server does not answer: it may have been stopped. Start it again with unrolled explore.");
  }
  if (!answered.ok) {
    const said = (await answered.json().catch(() => ({}))) as { refused?: string };
    throw new Error(said.refused ?? `The server could not answer (${answered.status}); its terminal says why.`);
  }
  return answered;
}

/** Three lengths, and what is so long: what is said of the trace, the weights, the trace. */
function unpacked(bytes: ArrayBuffer): Opened {
  const lengths = new DataView(bytes);
  let at = 12;
  const [about, weights, trace] = [0, 4, 8].map((where) => {
    const length = lengths.getUint32(where, true);
    at += length;
    return new Uint8Array(bytes.slice(at - length, at));
  }) as [Uint8Array, Uint8Array, Uint8Array];
  return { trace, weights: weights.length ? weights : null, about: JSON.parse(new TextDecoder().decode(about)) as About };
}

export function servedHost(): Host {
  const trace = async (name: string, text: string) => unpacked(await (await ask("api/trace", { name, text })).arrayBuffer());
  return {
    kind: "served",
    async open() {
      const first = (await (await ask("api/first")).json()) as { name: string | null; text: string };
      return first.name === null ? null : trace(first.name, first.text);
    },
    choices: async () => ((await (await ask("api/choices")).json()) as { choices: Choice[] }).choices,
    trace,
    link: hash,
    report: null,
  };
}
