// A foreign ESME for the tests: the npm package "smpp" as a client of the port given as its argument.
// It binds, submits one text per line of data below, answers deliveries, then unbinds; one JSON line per thing it saw.
"use strict";
const smpp = require("smpp");

const say = (seen) => process.stdout.write(JSON.stringify(seen) + "\n");
const texts = ["Hello [you] {€}", "Привет 😀", "x".repeat(160)];

const session = smpp.connect({ host: "127.0.0.1", port: Number(process.argv[2]) }, () => {
  session.bind_transceiver({ system_id: "shop", password: "secret" }, (bound) => {
    say({ bound: bound.command_status, system_id: bound.system_id, version: bound.sc_interface_version });
    for (const text of texts) {
      session.submit_sm(
        {
          source_addr: "12025550100",
          destination_addr: "12025550199",
          registered_delivery: 1,
          short_message: text,
          user_message_reference: 258,
        },
        (answer) => say({ answered: answer.command_status, id: answer.message_id }),
      );
    }
  });
});
session.on("error", (error) => say({ error: String(error) }));
session.on("deliver_sm", (pdu) => {
  say({
    delivery: pdu.short_message.message,
    source: pdu.source_addr,
    id: pdu.receipted_message_id,
    state: pdu.message_state,
  });
  session.send(pdu.response());
  session.enquire_link({}, (alive) => {
    say({ alive: alive.command_status });
    session.unbind({}, (unbound) => {
      say({ unbound: unbound.command_status });
      session.close();
    });
  });
});
