package dev.troupe.sampling.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.sampling.guide.automaton.GuideException;
import org.junit.jupiter.api.Test;

class CheckedGuidesTest {
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

        for (int i = 0; i < CheckedGuides.MOST; i++) {
            CheckedGuides.require(regex("filler-" + i));
            assertThat(CheckedGuides.require(second)).isFalse();
        }

        assertThat(CheckedGuides.require(first)).isTrue();
    }

    @Test
    void keepsGuidesOfAnyLengthAndTellsThemFromOthers() {
        String text = "a".repeat(18_000);
        GuideSpec guide = new GuideSpec(GuideSpec.Kind.CHOICE, "[\"" + text + "\"]");
        GuideSpec other = new GuideSpec(GuideSpec.Kind.CHOICE, "[\"" + text.substring(1) + "b\"]");

        assertThat(CheckedGuides.knows(guide)).isFalse();
        assertThat(CheckedGuides.require(guide)).isTrue();
        assertThat(CheckedGuides.knows(guide)).isTrue();
        assertThat(CheckedGuides.require(guide)).isFalse();
        assertThat(CheckedGuides.knows(other)).isFalse();
        assertThat(CheckedGuides.require(other)).isTrue();
    }
}
