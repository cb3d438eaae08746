// A foreign SMSC for the tests: the npm package "smpp" as a server on a free loopback port, printed as {"port": n}.
// It answers every submit_sm with an id of its own, sends a receipt for each, and prints one JSON line per thing it saw.
"use strict";
const smpp = require("smpp");

const say = (seen) => process.stdout.write(JSON.stringify(seen) + "\n");

const server = smpp.createServer((session) => {
  let count = 0;
  session.on("error", (error) => say({ error: String(error) }));
  session.on("bind_transceiver", (pdu) => {
    say({ bind: pdu.system_id, password: pdu.password });
    const refused = pdu.password !== "secret";
    session.send(pdu.response(refused ? { command_status: smpp.ESME_RINVPASWD } : { system_id: "npm" }));
  });
  session.on("submit_sm", (pdu) => {
    const id = "npm-" + count++;
    say({
      submit: pdu.short_message.message,
      destination: pdu.destination_addr,
      reference: pdu.user_message_reference,
      udh: pdu.short_message.udh ? pdu.short_message.udh.map((element) => element.toString("hex")) : null,
    });
    session.send(pdu.response({ message_id: id }));
    session.deliver_sm(
      {
        source_addr: pdu.destination_addr,
        destination_addr: pdu.source_addr,
        esm_class: 4,
        short_message:
          "id:" + id + " sub:001 dlvrd:001 submit date:2611230859 done date:2611230900 stat:DELIVRD err:000 text:",
        receipted_message_id: id,
        message_state: 2,
      },
      (answer) => say({ delivered: answer.command_status }),
    );
  });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => {
    session.send(pdu.response());
    session.close();
    say({ unbind: true });
  });
});
server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
process.stdin.on("end", () => process.exit(0)).resume();
