// Runs fauxqs on 127.0.0.1 only (it binds 0.0.0.0 by itself, and has no setting for that),
// keeps its data when FAUXQS_DATA_DIR is set, and empties it on POST /_fauxqs/reset.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import net from "node:net";

let http;
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (options, ...rest) {
  http = this;
  return listen.call(this, { ...options, host: "127.0.0.1" }, ...rest);
};

// Its package is found where it was installed, not beside this file.
const entry = join(process.argv[2], "node_modules", "fauxqs", "dist", "app.js");
const { startFauxqs } = await import(pathToFileURL(entry));
const server = await startFauxqs({
  port: Number(process.env.FAUXQS_PORT),
  dataDir: process.env.FAUXQS_DATA_DIR || undefined,
  logger: false,
});

const [serve] = http.listeners("request");
http.removeAllListeners("request");
http.on("request", (request, response) => {
  if (request.method !== "POST" || request.url !== "/_fauxqs/reset") {
    serve(request, response);
    return;
  }
  server.purgeAll();
  response.end();
});

process.once("SIGTERM", async () => {
  await server.stop();
  process.exit(0);
});
