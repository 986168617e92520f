package dev.troupe.node;

import dev.troupe.cluster.ClusterNode;
import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.plan.Site;
import dev.troupe.plan.SplitPlanner;
import dev.troupe.plan.Survival;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorSystem;

/** Says what the cluster outlives, again whenever that changes. Looks at the members now and then, on one thread at a time. */
final class SurvivalWatch implements Runnable {
    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);

    private final ClusterNode node;
    private final OptionalInt quorum;
    private final SplitPlanner planner;
    private final Consumer<Survival> listener;
    private List<NodeInfo> seen = List.of();
    private List<NodeInfo> worked = List.of();
    private List<String> said = List.of();

    private SurvivalWatch(ClusterNode node, OptionalInt quorum, SplitPlanner planner, Consumer<Survival> listener) {
        this.node = node;
        this.quorum = quorum;
        this.planner = planner;
        this.listener = listener;
    }

    /** Starts to look, as long as {@code system} lives. */
    static void start(
            ActorSystem<?> system,
            ClusterNode node,
            OptionalInt quorum,
            SplitPlanner planner,
            Consumer<Survival> listener) {
        system.scheduler()
                .scheduleWithFixedDelay(
                        Duration.ZERO,
                        LOOK_EVERY,
                        new SurvivalWatch(node, quorum, planner, listener),
                        system.executionContext());
    }

    /** Members that come and go within two looks are not spoken of. */
    @Override
    public synchronized void run() {
        List<NodeInfo> now = node.present();
        boolean settled = describe(now).equals(describe(seen));
        seen = now;
        if (!settled || now.isEmpty() || describe(now).equals(describe(worked))) {
            return;
        }
        worked = now;
        Survival survival = Survival.of(
                now.stream().map(this::node).toList(),
                quorum,
                planner,
                node.homes().mostDevices());
        if (!survival.sentences().equals(said)) {
            said = survival.sentences();
            listener.accept(survival);
        }
    }

    /** What matters of them. */
    private static List<Incarnation> describe(List<NodeInfo> nodes) {
        return nodes.stream().map(NodeInfo::node).toList();
    }

    private Survival.Node node(NodeInfo info) {
        Set<Incarnation> misfits = node.misfits().now().keySet();
        List<Site> sites = misfits.contains(info.node())
                ? List.of()
                : info.devices().stream()
                        .map(device -> new Site(
                                info.node().toString(), new Slot(info.node(), device.name()).toString(), device))
                        .toList();
        return new Survival.Node(
                info.node().hostPort(), info.has(NodeRole.CONTROL), info.has(NodeRole.FRONTEND), sites);
    }
}
