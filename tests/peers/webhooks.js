// A foreign receiver for the tests: the npm package "standardwebhooks" behind Node's own server, on a free loopback port,
// printed as {"port": n}. Its argument is the signing secret. For each POST it prints what it verified, or why it did not.
"use strict";
const http = require("node:http");
const { Webhook } = require("standardwebhooks");

const hook = new Webhook(process.argv[2]);
const say = (seen) => process.stdout.write(JSON.stringify(seen) + "\n");

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    try {
      const body = hook.verify(Buffer.concat(parts).toString("utf8"), request.headers);
      say({ verified: body, id: request.headers["webhook-id"], signatures: request.headers["webhook-signature"] });
      response.writeHead(204).end();
    } catch (error) {
      say({ refused: error.message });
      response.writeHead(400).end(error.message);
    }
  });
});
server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0)); // so that it never outlives its test
