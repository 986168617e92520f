package dev.troupe.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class TenantTest {
    @Test
    void tenantsAreNamesWithKeysAndWeights() {
        assertThat(Tenant.parse("a=secret:2,b=sk-x=y:z,c=k:0.5"))
                .containsExactly(
                        new Tenant("a", "secret", 2), new Tenant("b", "sk-x=y:z", 1), new Tenant("c", "k", 0.5));
    }

    @Test
    void whatIsNoTenantIsRefusedWithoutItsKey() {
        for (String text :
                List.of("hushhush", "a=", "=hushhush", "a=hushhush:0", "a=hushhush,", "a=hushhush:1,a=other")) {
            assertThatThrownBy(() -> Tenant.parse(text))
                    .isInstanceOf(IllegalArgumentException.class)
                    .message()
                    .doesNotContain("hushhush");
        }
    }

    @Test
    void aTenantIsShownWithoutItsKey() {
        assertThat(new Tenant("a", "secret", 2)).hasToString("Tenant[name=a, weight=2.0]");
    }

    @Test
    void fairnessIsJainsIndex() {
        assertThat(Tenant.fairness(List.of(5.0, 5.0, 5.0))).hasValue(1);
        assertThat(Tenant.fairness(List.of(8.0, 0.0, 0.0, 0.0))).hasValue(0.25);
        assertThat(Tenant.fairness(List.of(0.0, 0.0))).isEmpty();
    }
}
