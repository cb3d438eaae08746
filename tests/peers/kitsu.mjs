// A foreign client for the tests: the npm package "kitsu", unmodified, against the API of argv[2] with the Authorization of
// argv[3]. It prints what each step came to, as one JSON object.
import Kitsu from "kitsu";

const [baseURL, authorization, tag] = process.argv.slice(2);
const api = new Kitsu({ baseURL, headers: { Authorization: authorization }, camelCaseTypes: false, pluralize: false });
const names = (found) => found.data.map((each) => each.name);
const seen = {};

const made = await api.create("tags", { name: `${tag} a` });
await api.create("tags", { name: `${tag} b` });
seen.created = [made.status, made.data.name, made.data.type];
seen.list = names(await api.get("tags", { params: { sort: "name" } }));
const first = await api.get("tags", { params: { sort: "name", page: { limit: 1, offset: 0 } } });
const second = await api.get("tags", { params: { sort: "name", page: { limit: 1, offset: 1 } } });
seen.pages = [names(first), names(second), first.meta.total];
seen.filtered = names(await api.get("tags", { params: { filter: { name: `eq:${tag} b` } } }));
const engagement = (await api.get("engagements", { params: { include: "activity.text-template", sort: "created-at" } })).data[0];
seen.included = engagement.activity.data["text-template"].data.name;
const updated = await api.update("tags", { id: made.data.id, name: `${tag} c` });
seen.updated = [updated.status, updated.data.name];
seen.deleted = (await api.delete("tags", made.data.id)).status;
try {
  await api.get(`tags/${made.data.id}`);
} catch (error) {
  seen.error = [error.response.status, error.errors[0].code, error.errors[0].title];
}
process.stdout.write(JSON.stringify(seen) + "\n");
