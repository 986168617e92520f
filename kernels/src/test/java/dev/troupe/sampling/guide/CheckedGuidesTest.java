package dev.troupe.sampling.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.sampling.guide.automaton.GuideException;
import org.junit.jupiter.api.Test;

class CheckedGuidesTest {
    private static final int MORE_THAN_ARE_KEPT = 300;

    private static GuideSpec regex(String expression) {
        return new GuideSpec(GuideSpec.Kind.REGEX, expression);
    }

    @Test
    void compilesAGuideOnlyOnce() {
        GuideSpec guide = regex("checked-[0-9]{3}");

        assertThat(CheckedGuides.require(guide)).isTrue();
        assertThat(CheckedGuides.require(regex("checked-[0-9]{3}"))).isFalse();
        assertThat(CheckedGuides.require(new GuideSpec(GuideSpec.Kind.CHOICE, "[\"checked-[0-9]{3}\"]")))
                .isTrue();
    }

    @Test
    void refusesAWrongGuideEveryTime() {
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> CheckedGuides.require(regex("checked("))).isInstanceOf(GuideException.class);
        }
    }

    @Test
    void keepsTheGuidesThatWereAskedForLast() {
        GuideSpec first = regex("the-first");
        GuideSpec second = regex("the-second");
        CheckedGuides.require(first);
        CheckedGuides.require(second);

        for (int i = 0; i < MORE_THAN_ARE_KEPT; i++) {
            CheckedGuides.require(regex("filler-" + i));
            assertThat(CheckedGuides.require(second)).isFalse();
        }

        assertThat(CheckedGuides.require(first)).isTrue();
    }

    @Test
    void doesNotKeepWhatIsVeryLong() {
        GuideSpec guide = new GuideSpec(GuideSpec.Kind.CHOICE, "[\"" + "a".repeat(17_000) + "\"]");

        assertThat(CheckedGuides.require(guide)).isTrue();
        assertThat(CheckedGuides.require(guide)).isTrue();
    }
}
