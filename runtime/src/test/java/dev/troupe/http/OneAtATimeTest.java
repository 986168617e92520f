package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class OneAtATimeTest {
    private final OneAtATime<String, String> things = new OneAtATime<>();
    private final List<CompletableFuture<Optional<String>>> making = new ArrayList<>();
    private Optional<String> here = Optional.empty();

    private CompletionStage<Optional<String>> get(Supplier<Optional<String>> look) {
        return things.get("a", look, () -> {
            CompletableFuture<Optional<String>> made = new CompletableFuture<>();
            making.add(made);
            return made;
        });
    }

    private void made(String thing) {
        here = Optional.of(thing);
        making.getLast().complete(here);
    }

    @Test
    void makesItOnceForAllWhoAskWhileItIsMade() {
        CompletionStage<Optional<String>> first = get(() -> here);
        CompletionStage<Optional<String>> second = get(() -> here);

        made("one");

        assertThat(making).hasSize(1);
        assertThat(first).isCompletedWithValue(Optional.of("one"));
        assertThat(second).isCompletedWithValue(Optional.of("one"));
        assertThat(get(() -> here)).isCompletedWithValue(Optional.of("one"));
        assertThat(making).hasSize(1);
    }

    @Test
    void doesNotMakeWhatSomebodyHasMadeSinceItWasLookedFor() {
        List<Integer> looks = new ArrayList<>();

        CompletionStage<Optional<String>> late = get(() -> {
            looks.add(looks.size());
            if (looks.size() == 1) {
                // Between this look and what follows it, another one asks, and it is made.
                get(() -> here);
                made("one");
                return Optional.empty();
            }
            return here;
        });

        assertThat(making).hasSize(1);
        assertThat(late).isCompletedWithValue(Optional.of("one"));
    }

    @Test
    void triesAgainWhatCouldNotBeMade() {
        CompletionStage<Optional<String>> first = get(() -> here);
        making.getLast().completeExceptionally(new IllegalStateException("not now"));
        CompletionStage<Optional<String>> second = get(() -> here);
        making.getLast().complete(Optional.empty());

        get(() -> here);

        assertThat(first).isCompletedExceptionally();
        assertThat(second).isCompletedWithValue(Optional.empty());
        assertThat(making).hasSize(3);
    }

    @Test
    void failsWhereMakingItFailsAtOnce() {
        Supplier<CompletionStage<Optional<String>>> broken = () -> {
            throw new IllegalStateException("never");
        };

        assertThat(things.get("a", () -> here, broken)).isCompletedExceptionally();
        assertThat(things.get("a", () -> here, () -> CompletableFuture.completedFuture(Optional.of("one"))))
                .isCompletedWithValue(Optional.of("one"));
    }
}
