package dev.troupe.samples;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.ClientSystem;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** An actor system of your own that asks a cluster. Start one first: {@code troupe node --config cluster-config/local.conf}. */
public final class OwnActorSystemClient {
    private OwnActorSystemClient() {}

    private record Told(String story) {}

    public static void main(String[] arguments) throws Exception {
        String node = arguments.length > 0 ? arguments[0] : "127.0.0.1:25520";
        ActorSystem<Told> system = ActorSystem.create(listener(node), "client", ClientSystem.config());
        system.getWhenTerminated().toCompletableFuture().get();
    }

    private static Behavior<Told> listener(String node) {
        return Behaviors.setup(context -> {
            Troupe troupe = Troupe.connect(context.getSystem(), node);
            CompletionStage<String> story = troupe.complete(TextRequest.greedy("One day, a cat", 40))
                    .thenApply(completion -> completion.text());
            context.pipeToSelf(story, (text, failure) -> new Told(failure == null ? text : String.valueOf(failure)));
            return Behaviors.receiveMessage(told -> {
                System.out.println(told.story());
                return Behaviors.stopped();
            });
        });
    }
}
