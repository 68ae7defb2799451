import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { workerCommand } from '../src/cli/worker.js';

// No container runs here: what can be checked is that the files can be read, agree with the worker, and are strict.

const ROOT = new URL('../../', import.meta.url);
const read = (name: string) => readFileSync(new URL(`src/queue/deploy/${name}`, ROOT), 'utf8');

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly resources: { readonly requests: Record<string, string>; readonly limits: Record<string, string> };
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean; readonly allowPrivilegeEscalation: boolean };
}
interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: { readonly runAsNonRoot: boolean; readonly runAsUser: number };
  readonly containers: readonly [Container];
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template?: { readonly metadata: { readonly labels: Record<string, string> }; readonly spec: PodSpec };
    readonly selector?: { readonly matchLabels?: Record<string, string> };
  };
}
interface Service {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment: Record<string, string>;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly stop_grace_period?: string;
  readonly ports?: readonly string[];
}

function manifests(): Manifest[] {
  return parseAllDocuments(read('kubernetes.yaml')).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Manifest;
  });
}

/** The worker takes these arguments. Returns seconds of grace and threads. */
function checkArgs(args: readonly string[]): { grace: number; threads: number } {
  assert.equal(args[0], 'worker');
  const command = workerCommand().exitOverride();
  command.parseOptions([...args.slice(1)]);
  const { grace, workers, json } = command.opts<{ grace: number; workers: number; json: boolean }>();
  assert.equal(json, true);
  return { grace: grace / 1000, threads: workers };
}

describe('deployment', () => {
  it('in Kubernetes: workers have time to leave, nobody is root or writes where it should not', () => {
    const all = manifests();
    assert.deepEqual(
      all.map(({ kind }) => kind),
      ['Service', 'StatefulSet', 'NetworkPolicy', 'Deployment'],
    );
    for (const { spec } of all) {
      if (!spec.template) continue;
      const { spec: pod, metadata } = spec.template;
      assert.ok(pod.securityContext.runAsNonRoot && pod.securityContext.runAsUser > 0);
      const [{ securityContext, resources }] = pod.containers;
      assert.ok(securityContext.readOnlyRootFilesystem && !securityContext.allowPrivilegeEscalation);
      for (const what of ['cpu', 'memory']) assert.ok(resources.requests[what] && resources.limits[what]);
      for (const [label, value] of Object.entries(spec.selector!.matchLabels!))
        assert.equal(metadata.labels[label], value);
    }
    const worker = all.at(-1)!.spec.template!.spec;
    const [container] = worker.containers;
    const { grace, threads } = checkArgs(container.args!);
    assert.ok(worker.terminationGracePeriodSeconds >= grace + 5);
    assert.equal(container.resources.limits.cpu, `${threads}`);
  });

  it('in Compose: the same, and Redis is reached from this machine alone', () => {
    const { services } = parse(read('compose.yaml')) as { services: { redis: Service; worker: Service } };
    const { redis, worker } = services;
    for (const { read_only, cap_drop } of [redis, worker]) assert.ok(read_only && cap_drop.includes('ALL'));
    assert.ok(redis.ports!.every((port) => port.startsWith('127.0.0.1:')));
    assert.match(redis.command.at(-1)!, /requirepass \$\$REDISCLI_AUTH\nappendonly yes/);
    const { grace } = checkArgs(worker.command);
    assert.ok(Number.parseInt(worker.stop_grace_period!, 10) >= grace + 5);
  });

  it('the image has all that a worker loads', () => {
    const text = read('Dockerfile');
    const copied = [...text.matchAll(/^COPY --from=build \/src\/(\S+)/gm)].map(([, name]) => name!);
    assert.deepEqual(copied, ['package.json', 'node_modules', 'bin', 'build', 'dist']);
    for (const name of copied) assert.ok(existsSync(fileURLToPath(new URL(name, ROOT))), name);
    assert.match(text, /^USER 1000:1000$/m);
    assert.match(text, /^ENTRYPOINT \["node", "\/app\/bin\/breakcow\.js"\]\nCMD \["worker"\]$/m);
  });
});
