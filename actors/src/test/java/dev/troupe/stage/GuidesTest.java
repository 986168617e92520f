package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.sampling.guide.automaton.GuideException;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class GuidesTest {
    private static final TokenTable TOKENS =
            new TokenTable(257, id -> id == 256 ? new byte[0] : new byte[] {(byte) id}, Ints.of(256));

    private final List<Runnable> tasks = new ArrayList<>();
    private final Guides guides = new Guides(TOKENS, tasks::add);

    private static GuideSpec regex(String pattern) {
        return new GuideSpec(GuideSpec.Kind.REGEX, pattern);
    }

    private PendingGuide asked(GuideSpec spec) {
        return Objects.requireNonNull(guides.of(spec), "too many are being compiled");
    }

    private void compileAll() {
        tasks.forEach(Runnable::run);
        tasks.clear();
    }

    @Test
    void compilesOnlyOnTheThreadsItWasGiven() {
        PendingGuide guide = asked(regex("a+"));

        assertThat(guide.isReady()).isFalse();
        assertThatThrownBy(guide::guide).isInstanceOf(IllegalStateException.class);
        compileAll();
        assertThat(guide.isReady()).isTrue();
        assertThat(guide.guide().start()).isNotNull();
    }

    @Test
    void compilesTheSameGuideOnce() {
        PendingGuide first = guides.of(regex("a+"));

        assertThat(guides.of(regex("a+"))).isSameAs(first);
        compileAll();
        assertThat(guides.of(regex("a+"))).isSameAs(first);
        assertThat(tasks).isEmpty();
    }

    @Test
    void letsAFurtherGuideWaitWhileManyAreCompiled() {
        for (int i = 0; i < Guides.MOST_PENDING; i++) {
            assertThat(guides.of(regex("a{" + (i + 1) + "}"))).isNotNull();
        }

        assertThat(guides.of(regex("b"))).isNull();
        assertThat(guides.of(regex("a{1}"))).isNotNull();
        tasks.removeFirst().run();
        assertThat(guides.of(regex("b"))).isNotNull();
        assertThat(tasks).hasSize(Guides.MOST_PENDING);
    }

    @Test
    void forgetsTheGuideThatWasNotUsedForLongestButNoneThatIsBeingCompiled() {
        PendingGuide underway = asked(regex("underway"));
        Runnable slow = tasks.removeFirst();
        PendingGuide oldest = guides.of(regex("0"));
        for (int i = 1; i < Guides.MOST; i++) {
            guides.of(regex("" + i));
            compileAll();
        }

        assertThat(guides.of(regex("underway"))).isSameAs(underway);
        assertThat(guides.of(regex("0"))).isNotSameAs(oldest);
        slow.run();
        assertThat(underway.isReady()).isTrue();
    }

    @Test
    void aGuideThatCannotBeFollowedSaysWhyWhenItIsUsed() {
        PendingGuide malformed = asked(regex("a("));
        PendingGuide nowhere = Objects.requireNonNull(Guides.none().of(regex("a")));
        compileAll();

        assertThatThrownBy(malformed::guide).isInstanceOf(GuideException.class);
        assertThatThrownBy(nowhere::guide)
                .isInstanceOf(GuideException.class)
                .hasMessage("this rank cannot follow a guide: its model has no tokenizer or no end of text");
    }

    @Test
    void compilesNothingForARankThatHasEnded() {
        PendingGuide guide = asked(regex("a+"));

        guides.close();
        compileAll();

        assertThat(guide.isReady()).isFalse();
    }
}
