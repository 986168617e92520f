package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ReturningNodeTest {
    private static final String HOST = "127.0.0.1";

    /** A client's system drops what it would tell a node that has ended in good order, also when another stands in its place. */
    @Test
    void isReachedAgainByAClientThatKnewItBefore() throws Exception {
        Path model = Path.of("src", "main", "models", "tales").toAbsolutePath();
        try (TestNodes nodes = new TestNodes(1, Map.of());
                Troupe troupe = nodes.connect()) {
            TroupeNode first = nodes.start(model, Map.of("troupe.node.host", HOST));
            String before = text(troupe);
            first.close();
            first.system().getWhenTerminated().toCompletableFuture().get(1, TimeUnit.MINUTES);

            nodes.start(model, Map.of("troupe.node.host", HOST));

            assertThat(text(troupe)).isEqualTo(before);
        }
    }

    private static String text(Troupe troupe) throws Exception {
        TestNodes.await(troupe, Troupe.Description::ready);
        return troupe.complete(TextRequest.greedy("Once", 3))
                .toCompletableFuture()
                .get(TestNodes.MINUTES, TimeUnit.MINUTES)
                .text();
    }
}
