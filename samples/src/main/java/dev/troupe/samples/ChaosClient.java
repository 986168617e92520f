package dev.troupe.samples;

import dev.troupe.chaos.Chaos;
import dev.troupe.chaos.Fault;
import dev.troupe.chaos.StreamWatch;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.ClientSystem;
import java.time.Duration;
import org.apache.pekko.stream.javadsl.Sink;

/**
 * Kills the node that computes a rank in the middle of a story, and shows that the story does not change. The cluster must run
 * with {@code troupe.chaos.enabled = on}.
 */
public final class ChaosClient {
    private static final int AT_TOKEN = 20;

    private ChaosClient() {}

    /** @param arguments the node to connect to, {@code 127.0.0.1:25520} by default */
    public static void main(String[] arguments) throws Exception {
        String node = arguments.length > 0 ? arguments[0] : "127.0.0.1:25520";
        TextRequest request = TextRequest.greedy("Once upon a time", 60).withIgnoreEos(true);
        try (Troupe troupe = Troupe.connect(node, ClientSystem.config())) {
            StreamWatch undisturbed = StreamWatch.ofPeace();
            tell(troupe, request, undisturbed);

            String victim = victim(troupe.describe(Duration.ofSeconds(10))
                    .toCompletableFuture()
                    .get());
            Chaos chaos = new Chaos(troupe.system());
            StreamWatch disturbed = new StreamWatch(AT_TOKEN, () -> chaos.inject(victim, new Fault.Kill()));
            tell(troupe, request, disturbed);

            System.out.printf("killed %s at token %d, gap %.0f ms%n", victim, AT_TOKEN, disturbed.gapMillis());
            System.out.println(undisturbed
                    .differenceFrom(disturbed)
                    .map(difference -> "DIFFERENT " + difference)
                    .orElse("identical"));
        }
    }

    /** A node with a rank that is not the one that we talk to. */
    private static String victim(Troupe.Description description) {
        return description.roles().entrySet().stream()
                .filter(role -> role.getKey().startsWith("stage-"))
                .map(role -> role.getValue())
                .filter(host -> !host.equals(description.roles().get("owner")))
                .sorted()
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("no other node has a rank: " + description.roles()));
    }

    private static void tell(Troupe troupe, TextRequest request, StreamWatch watch) throws Exception {
        troupe.generate(request)
                .runWith(Sink.foreach(watch::on), troupe.system())
                .toCompletableFuture()
                .get();
    }
}
