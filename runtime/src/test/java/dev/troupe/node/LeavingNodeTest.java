package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.troupe.client.Troupe;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class LeavingNodeTest {
    /** What is sent to an entity of a leaving node keeps its region from ending until a time limit. */
    @Test
    void leavesNoMessageBehindThatHoldsItUp() throws Exception {
        Path model = Path.of("src", "main", "models", "tales").toAbsolutePath();
        Logger sharding = (Logger) LoggerFactory.getLogger("org.apache.pekko.cluster.sharding");
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        sharding.addAppender(log);
        try (TestNodes nodes = new TestNodes(2, Map.of());
                Troupe troupe = nodes.connect()) {
            nodes.start(model, Map.of());
            nodes.start(model, Map.of());
            TestNodes.await(troupe, Troupe.Description::ready);
            // Both leave at the end of this block.
        } finally {
            sharding.detachAppender(log);
        }

        assertThat(log.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .noneMatch(line -> line.contains("timed out"));
    }
}
