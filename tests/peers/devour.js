// A foreign client for the tests: the npm package "devour-client", unmodified, against the API of argv[2] with the
// Authorization of argv[3]. It prints what each step came to, as one JSON object.
"use strict";
const JsonApi = require("devour-client");

const [apiUrl, authorization, tag] = process.argv.slice(2);
const api = new JsonApi({ apiUrl, logger: false });
api.headers["Authorization"] = authorization;
api.define("tag", { name: "" });
api.define("text-template", { name: "" });
api.define("activity", { name: "", "text-template": { jsonApi: "hasOne", type: "text-templates" } });
api.define("engagement", { name: "", activity: { jsonApi: "hasOne", type: "activities" } });
const names = (found) => found.data.map((each) => each.name);

async function main() {
  const seen = {};
  const made = (await api.create("tag", { name: `${tag} a` })).data;
  await api.create("tag", { name: `${tag} b` });
  seen.created = [made.name, made.type];
  seen.list = names(await api.findAll("tag", { sort: "name" }));
  const first = await api.findAll("tag", { sort: "name", page: { limit: 1, offset: 0 } });
  const second = await api.findAll("tag", { sort: "name", page: { limit: 1, offset: 1 } });
  seen.pages = [names(first), names(second), first.meta.total];
  seen.filtered = names(await api.findAll("tag", { filter: { name: `eq:${tag} b` } }));
  const asked = { include: "activity,activity.text-template", sort: "created-at" };
  const engagement = (await api.findAll("engagement", asked)).data[0];
  seen.included = engagement.activity["text-template"].name;
  seen.updated = (await api.update("tag", { id: made.id, name: `${tag} c` })).data.name;
  seen.deleted = (await api.destroy("tag", made.id)).status ?? null;
  try {
    await api.find("tag", made.id);
  } catch (error) {
    seen.error = Object.values(error).map((each) => each.title);
  }
  process.stdout.write(JSON.stringify(seen) + "\n");
}
main().catch((error) => {
  process.stderr.write(String(error.stack ?? JSON.stringify(error)) + "\n");
  process.exit(1);
});
