// Asks the simulated tenant with @azure/msal-node, Microsoft's library for Node.js.
// NODE_EXTRA_CA_CERTS must name the tenant's `ca.pem`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfidentialClientApplication, ServerError } from "@azure/msal-node";

const tenant = JSON.parse(readFileSync(join(process.argv[2], "tenant.json"), "utf8"));
const graphScope = "https://graph.microsoft.com/.default";
// Two slashes: the identifier of the resource ends with one.
const intuneScope = "https://api.manage.microsoft.com//.default";

function client(credential) {
  return new ConfidentialClientApplication({
    auth: {
      clientId: tenant.client_id,
      authority: tenant.authority,
      // It would ask Microsoft whether it knows this authority.
      knownAuthorities: [new URL(tenant.authority).host],
      ...credential,
    },
  });
}

async function get(url, token) {
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(10_000),
  });
  assert.equal(answer.status, 200, url);
  return answer;
}

async function discover(token) {
  const principal = "appId=0000000a-0000-0000-c000-000000000000";
  const url = `${tenant.graph_url}/v1.0/servicePrincipals/${principal}/endpoints`;
  const list = await (await get(url, token)).json();
  return list.value.find((entry) => entry.providerName === "ComplianceRetrievalService").uri;
}

async function lookUp(service, token, name) {
  const { mac } = tenant.devices.find((device) => device.name === name);
  const query = `paging=0&querycriteria=macaddress&value=${mac}&filter=all`;
  const xml = await (await get(`${service}/cisco/devices/?${query}`, token)).text();
  return [/<register_status>(\w+)</.exec(xml)?.[1], /<status>(\w+)</.exec(xml)?.[1]];
}

async function refused(credential, scope, error, code) {
  await assert.rejects(
    client(credential).acquireTokenByClientCredential({ scopes: [scope] }),
    (thrown) => {
      assert.ok(thrown instanceof ServerError, `${thrown}`);
      assert.equal(thrown.errorCode, error);
      assert.match(thrown.errorMessage, new RegExp(`AADSTS${code}: `));
      assert.ok(thrown.correlationId);
      return true;
    },
  );
}

const certificate = {
  thumbprintSha256: tenant.certificate.sha256,
  privateKey: readFileSync(tenant.certificate.key, "utf8"),
};
const credentials = {
  secret: { clientSecret: tenant.client_secret },
  certificate: { clientCertificate: certificate },
};

for (const [name, credential] of Object.entries(credentials)) {
  const application = client(credential);
  const graph = await application.acquireTokenByClientCredential({ scopes: [graphScope] });
  const intune = await application.acquireTokenByClientCredential({ scopes: [intuneScope] });
  const service = await discover(graph.accessToken);
  assert.equal(service, tenant.compliance_url);
  assert.deepEqual(await lookUp(service, intune.accessToken, "compliant"), ["true", "true"]);
  assert.deepEqual(await lookUp(service, intune.accessToken, "non-compliant"), ["true", "false"]);
  assert.deepEqual(await lookUp(service, intune.accessToken, "unknown"), ["false", undefined]);
  // The second time it must come from the library's cache.
  const again = await application.acquireTokenByClientCredential({ scopes: [intuneScope] });
  assert.ok(again.fromCache);
  console.log(`ok msal-node with ${name}`);
}

await refused({ clientSecret: "wrong" }, intuneScope, "invalid_client", 7000215);
await refused(credentials.secret, "https://example.com/.default", "invalid_resource", 500011);
const stranger = { ...certificate, thumbprintSha256: "00".repeat(32) };
await refused({ clientCertificate: stranger }, intuneScope, "invalid_client", 700027);
console.log("ok msal-node reports refusals");
