package dev.troupe.wire.kryo;

import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;

/** How actor references become text and back. */
public interface ActorRefs {
    /** The full path of {@code ref}, address included. */
    String format(ActorRef<?> ref);

    /** The actor at {@code path}; a dead one where there is none. */
    ActorRef<?> resolve(String path);

    /** The references of {@code system}. */
    static ActorRefs of(ActorSystem<?> system) {
        ActorRefResolver resolver = ActorRefResolver.get(system);
        return new ActorRefs() {
            @Override
            public String format(ActorRef<?> ref) {
                return resolver.toSerializationFormat(ref);
            }

            @Override
            public ActorRef<?> resolve(String path) {
                return resolver.resolveActorRef(path);
            }
        };
    }
}
