/* The level of Arm's Advanced SIMD with dot products: 4 rows a vector. */
#include <arm_neon.h>

#define LEVEL(name) name##_neon
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define LANES 4
#define BYTE_ZERO 0

typedef uint32x4_t ints_neon;
typedef float32x4_t floats_neon;

INLINE float32x4_t LEVEL(load)(const float *from) {
    return vld1q_f32(from);
}

INLINE void LEVEL(store)(float *to, float32x4_t v) {
    vst1q_f32(to, v);
}

INLINE float32x4_t LEVEL(all)(float value) {
    return vdupq_n_f32(value);
}

INLINE float32x4_t LEVEL(multiply)(float32x4_t a, float32x4_t b) {
    return vmulq_f32(a, b);
}

INLINE float32x4_t LEVEL(add)(float32x4_t a, float32x4_t b) {
    return vaddq_f32(a, b);
}

INLINE float32x4_t LEVEL(subtract)(float32x4_t a, float32x4_t b) {
    return vsubq_f32(a, b);
}

INLINE float32x4_t LEVEL(larger)(float32x4_t a, float32x4_t b) {
    return vmaxq_f32(a, b);
}

INLINE float32x4_t LEVEL(fma)(float32x4_t a, float32x4_t b, float32x4_t c) {
    return vfmaq_f32(c, a, b);
}

INLINE float32x4_t LEVEL(to_floats)(uint32x4_t v) {
    return vcvtq_f32_s32(vreinterpretq_s32_u32(v));
}

INLINE float32x4_t LEVEL(load_halves)(const uint16_t *from) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}

INLINE float32x4_t LEVEL(scale_by)(float32x4_t p, float32x4_t t) {
    return vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(p), vshlq_n_u32(vreinterpretq_u32_f32(t), 23)));
}

INLINE float32x4_t LEVEL(from_least)(float32x4_t x, float least, float32x4_t v) {
    uint32x4_t below = vcltq_f32(x, vdupq_n_f32(least));
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(v), below));
}

INLINE uint32x4_t LEVEL(load_ints)(const void *from) {
    return vreinterpretq_u32_u8(vld1q_u8(from));
}

INLINE void LEVEL(store_ints)(void *to, uint32x4_t v) {
    vst1q_u8(to, vreinterpretq_u8_u32(v));
}

INLINE uint32x4_t LEVEL(all_ints)(int32_t value) {
    return vdupq_n_u32((uint32_t) value);
}

INLINE uint32x4_t LEVEL(all_bytes)(int value) {
    return vreinterpretq_u32_u8(vdupq_n_u8((uint8_t) value));
}

INLINE uint32x4_t LEVEL(and)(uint32x4_t a, uint32x4_t b) {
    return vandq_u32(a, b);
}

INLINE uint32x4_t LEVEL(or_masked)(uint32x4_t a, uint32x4_t b, uint32x4_t mask) {
    return vorrq_u32(a, vandq_u32(b, mask));
}

INLINE uint32x4_t LEVEL(shift)(uint32x4_t v, const int bits) {
    return bits >= 0 ? v >> bits : v << -bits;
}

INLINE uint32x4_t LEVEL(look_up)(const uint8_t table[16], uint32x4_t codes) {
    return vreinterpretq_u32_u8(vqtbl1q_u8(vld1q_u8(table), vreinterpretq_u8_u32(codes)));
}

/* All bytes are signed here: codes are below 128. */
INLINE uint32x4_t LEVEL(dot)(const struct format f, uint32x4_t sum, uint32x4_t a, uint32x4_t x, uint32x4_t b, uint32x4_t y) {
    (void) f;
    int32x4_t to = vdotq_s32(vreinterpretq_s32_u32(sum), vreinterpretq_s8_u32(a), vreinterpretq_s8_u32(x));
    return vreinterpretq_u32_s32(vdotq_s32(to, vreinterpretq_s8_u32(b), vreinterpretq_s8_u32(y)));
}

INLINE void LEVEL(widen)(const struct format f, const uint8_t *from, float32x4_t to[2]) {
    uint32x4_t v = LEVEL(load_ints)(from);
    if (f.zero == 12) {
        to[0] = vreinterpretq_f32_u32(vshlq_n_u32(v, 16));
        to[1] = vreinterpretq_f32_u32(vandq_u32(v, vdupq_n_u32(0xffff0000)));
        return;
    }
    to[0] = vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(v)));
    to[1] = vcvt_f32_f16(vreinterpret_f16_u16(vshrn_n_u32(v, 16)));
}

INLINE float32x4_t LEVEL(from_bytes)(const uint8_t *from) {
    int32_t four;
    memcpy(&four, from, 4);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8((uint32_t) four)))));
}

/* Rows 4p to 4p + 3 and the same of the upper 16. */
INLINE void LEVEL(quads)(const uint8_t *from, const int p, uint32x4_t *low, uint32x4_t *high) {
    uint32x4_t to[2];
    for (int h = 0; h < 2; h++) {
        uint32_t c[4];
        for (int i = 0; i < 4; i++) {
            memcpy(c + i, from + 32 * i + 16 * h + 4 * p, 4);
        }
        uint32x4_t columns = vld1q_u32(c);
        const uint8x16_t turn = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
        to[h] = vreinterpretq_u32_u8(vqtbl1q_u8(vreinterpretq_u8_u32(columns), turn));
    }
    *low = to[0];
    *high = to[1];
}

INLINE float LEVEL(largest)(const float x[BLOCK]) {
    uint32x4_t most = vdupq_n_u32(0);
    for (int i = 0; i < BLOCK; i += 4) {
        most = vmaxq_u32(most, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)), vdupq_n_u32(0x7fffffff)));
    }
    uint32_t bits = vmaxvq_u32(most);
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

INLINE int16x4_t LEVEL(round_4)(const float *x, float s) {
    int32x4_t v = vcvtnq_s32_f32(vdivq_f32(vld1q_f32(x), vdupq_n_f32(s)));
    return vmovn_s32(vmaxq_s32(vminq_s32(v, vdupq_n_s32(127)), vdupq_n_s32(-127)));
}

INLINE void LEVEL(round)(const float x[BLOCK], float s, int8_t q[BLOCK]) {
    for (int i = 0; i < BLOCK; i += 8) {
        vst1_s8(q + i, vmovn_s16(vcombine_s16(LEVEL(round_4)(x + i, s), LEVEL(round_4)(x + i + 4, s))));
    }
}

INLINE void LEVEL(reorder)(const int8_t *from, const uint8_t order[16], int8_t *to) {
    vst1q_s8(to, vqtbl1q_s8(vld1q_s8(from), vld1q_u8(order)));
}

#include "attention.h"
#include "products.h"
