package dev.troupe.serving;

import dev.troupe.generation.Generation;
import dev.troupe.generation.GenerationEvent;
import dev.troupe.generation.GenerationRequest;
import dev.troupe.generation.LogHolders;
import dev.troupe.generation.LogKeeper;
import dev.troupe.generation.ReplicatedTokenLog;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.apache.pekko.actor.typed.ActorRef;

/** A real generation on one node, which a client at another place reads. */
final class SimulatedOwner {
    private static final Duration SIGN_OF_LIFE = Duration.ofSeconds(5);
    private static final long CHECK_EVERY_MILLIS = 5_000;
    private static final Duration CLIENT_PATIENCE = Duration.ofSeconds(30);
    private static final Generation.Settings SETTINGS =
            new Generation.Settings(Duration.ofMinutes(3), Duration.ofSeconds(4), Duration.ofSeconds(30), 64);

    final SimulatedWorld.Node node;
    private final SimulatedCluster cluster;
    private final SimulatedClient client;
    private final SimulatedActor<Generation.Command> actor;
    private final Map<SimulatedWorld.Node, TestInbox<Scheduler.Command>> schedulers = new LinkedHashMap<>();
    private final Map<SimulatedWorld.Node, TestInbox<LogKeeper.Command>> keepers = new LinkedHashMap<>();
    private final TestInbox<GenerationEvent> subscriber = TestInbox.create();
    private final TestInbox<Generation.Started> started = TestInbox.create();
    private final TestInbox<Generation.Resumption> resumed = TestInbox.create();

    /** The client's attempt that is answered. */
    private long attempt;

    /** The attempt for which the log is read. */
    private long subscribed = -1;

    private long told;
    private long heardAt;

    SimulatedOwner(SimulatedCluster cluster, SimulatedWorld.Node node, SimulatedClient client, String value) {
        this.cluster = cluster;
        this.node = node;
        this.client = client;
        LogHolders holders = new LogHolders() {
            @Override
            public long self() {
                return node.uid;
            }

            @Override
            public List<Holder> others() {
                return cluster.live(node).stream()
                        .filter(other -> other != node)
                        .map(SimulatedOwner.this::holder)
                        .toList();
            }

            @Override
            public List<Holder> all() {
                return cluster.live(node).stream()
                        .map(SimulatedOwner.this::holder)
                        .toList();
            }
        };
        Generation.Setup setup = new Generation.Setup(
                _ -> route(), ReplicatedTokenLog.factory(holders, SIGN_OF_LIFE, cluster.world::now), holders, SETTINGS);
        this.actor = new SimulatedActor<>(
                cluster.world,
                node,
                Generation.create(new GenerationId(value, node.toString()), setup),
                _ -> {},
                this::drain);
        cluster.add(this);
    }

    boolean isAlive() {
        return actor.isAlive();
    }

    void begin(long now, GenerationRequest request) {
        attend(now);
        actor.tell(new Generation.Start(request, started.getRef()));
    }

    void resume(long now, GenerationId original, GenerationRequest request) {
        attend(now);
        actor.tell(new Generation.Resume(original, request, resumed.getRef()));
    }

    private void attend(long now) {
        attempt = now;
        heardAt = cluster.world.now();
        cluster.world.after(node, CHECK_EVERY_MILLIS, () -> check(now));
    }

    /** A client that is silent for too long has gone. */
    private void check(long now) {
        if (now == attempt && actor.isAlive()) {
            if (cluster.world.now() - heardAt > CLIENT_PATIENCE.toNanos()) {
                cancel();
            } else {
                cluster.world.after(node, CHECK_EVERY_MILLIS, () -> check(now));
            }
        }
    }

    void cancel() {
        actor.tell(Generation.Cancel.INSTANCE);
    }

    void stop() {
        actor.tell(Generation.Stop.INSTANCE);
    }

    void wake() {
        actor.wake();
    }

    void ended(ActorRef<?> other) {
        actor.ended(other);
    }

    private LogHolders.Holder holder(SimulatedWorld.Node other) {
        return new LogHolders.Holder(
                other.toString(),
                keepers.computeIfAbsent(other, _ -> TestInbox.create()).getRef());
    }

    private Router.Route route() {
        List<Router.Way> ways = cluster.live(node).stream()
                .map(other -> new Router.Way(
                        other.toString(),
                        other.uid,
                        schedulers
                                .computeIfAbsent(other, _ -> TestInbox.create())
                                .getRef()))
                .toList();
        return ways.isEmpty() ? new Router.NotYet("all nodes are lost") : new Router.Found(ways);
    }

    /** Carries on what the generation has said. */
    private void drain() {
        schedulers.forEach(
                (other, inbox) -> inbox.getAllReceived().forEach(command -> cluster.toScheduler(this, other, command)));
        keepers.forEach(
                (other, inbox) -> inbox.getAllReceived().forEach(command -> cluster.toKeeper(this, other, command)));
        long now = attempt;
        for (Generation.Started answer : started.getAllReceived()) {
            // A front end subscribes beside its generation; the client is told by the same road as of everything after.
            subscribe();
            tell(() -> client.started(this, now, answer.id()));
        }
        for (Generation.Resumption answer : resumed.getAllReceived()) {
            // Two attempts may be answered at once; only the newer one has somebody who reads.
            if (answer instanceof Generation.Resumed && subscribed != now) {
                subscribed = now;
                subscribe();
            }
            tell(() -> client.resumed(this, now, answer));
        }
        for (GenerationEvent event : subscriber.getAllReceived()) {
            if (event instanceof GenerationEvent.Entries entries) {
                told = entries.first() + entries.entries().size();
            }
            tell(() -> client.event(now, event));
        }
    }

    private void subscribe() {
        cluster.world.after(node, 0, () -> actor.tell(new Generation.Subscribe(1, 0, 1_000_000, subscriber.getRef())));
    }

    /** A ping has come. */
    void pinged(long now) {
        if (now == attempt && actor.isAlive()) {
            heardAt = cluster.world.now();
            long entries = told;
            tell(() -> client.pong(now, entries));
        }
    }

    private void tell(Runnable arrival) {
        cluster.world.send(node, cluster.clients, SimulatedCluster.once(arrival));
    }
}
