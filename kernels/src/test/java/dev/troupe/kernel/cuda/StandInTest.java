package dev.troupe.kernel.cuda;

import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Tests on the stand-in driver: it is as at the start before each, and nothing is left on it after each; skipped where there is none. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@Tag("cuda")
@ExtendWith(StandInTest.AroundEach.class)
public @interface StandInTest {
    /** Before the test's own set-up, and after its own end. */
    final class AroundEach implements BeforeEachCallback, AfterEachCallback {
        @Override
        public void beforeEach(ExtensionContext context) {
            StandIn.require();
        }

        @Override
        public void afterEach(ExtensionContext context) {
            StandIn.requireNothingLeft();
        }
    }
}
