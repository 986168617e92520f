package dev.troupe.chaos;

import dev.troupe.client.FrontEnd;
import dev.troupe.client.Troupe;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;

/**
 * How a program makes nodes fail: finds who plays a role and tells that node's agent. Nodes must run with
 * {@code troupe.chaos.enabled = on}.
 */
public final class Chaos {
    /** The role that is drawn by a seed. */
    public static final String RANDOM = "random";

    private static final Duration WITHIN = Duration.ofSeconds(5);

    private final ActorSystem<?> system;

    /** @param system reaches the cluster, for example {@link Troupe#system()} */
    public Chaos(ActorSystem<?> system) {
        this.system = system;
    }

    /**
     * The node that plays {@code role} now.
     *
     * @param role a key of {@link Troupe.Description#roles}, or {@link #RANDOM}, or a node's {@code host:port}
     * @param seed for {@link #RANDOM}
     * @throws IllegalArgumentException if nobody plays it; it names the roles that there are
     */
    public static Role find(Troupe.Description description, String role, long seed) {
        Map<String, String> roles = new TreeMap<>(description.roles());
        String wanted = role;
        if (role.equals(RANDOM) && !roles.isEmpty()) {
            wanted = List.copyOf(roles.keySet()).get(new Random(seed).nextInt(roles.size()));
        }
        String node = description.nodes().contains(wanted) ? wanted : roles.get(wanted);
        if (node == null) {
            throw new IllegalArgumentException("nobody plays role %s; there are %s, %s, and the nodes %s"
                    .formatted(role, String.join(", ", roles.keySet()), RANDOM, description.nodes()));
        }
        return new Role(wanted, node);
    }

    /**
     * Who plays what.
     *
     * @param node Artery address, {@code host:port}
     */
    public record Role(String name, String node) {}

    /** Tells the agent of {@code node}; a fatal fault is not answered. */
    public CompletionStage<ChaosAgent.Answer> inject(String node, Fault fault) {
        return AskPattern.ask(
                agent(node), replyTo -> new ChaosAgent.Inject(fault, replyTo), WITHIN, system.scheduler());
    }

    /** What {@code node} has counted; fails if it does not answer. */
    public CompletionStage<ChaosAgent.Answer> observe(String node) {
        return observe(node, WITHIN);
    }

    /** What {@code node} has counted; fails if it does not answer in time. */
    CompletionStage<ChaosAgent.Answer> observe(String node, Duration within) {
        return AskPattern.ask(agent(node), ChaosAgent.Observe::new, within, system.scheduler());
    }

    private ActorRef<ChaosAgent.Command> agent(String node) {
        return ActorRefResolver.get(system)
                .resolveActorRef("%s://%s@%s/system/%s"
                        .formatted(system.address().protocol(), FrontEnd.SYSTEM, node, ChaosAgent.NAME));
    }
}
