// Rasteriser, resolver and noise: one source for gcc (a CPU library) and nvcc (a GPU library), plain C interface.
//
// Depth buffer: 64 bits a sample, depth (float bits, positive, so that integers order as floats do) above, number of
// the primitive below. Triangles come first, then hair segments. Sample centres lie at whole pixels + 0.5.
#include <math.h>
#include <stdint.h>

typedef unsigned long long u64;

#ifdef __CUDACC__
#define FN __device__ __forceinline__
#define FOR_ALL(count) \
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < (count); i += (long long)gridDim.x * blockDim.x)
#define KERNEL(name, ...) static __global__ void name(__VA_ARGS__)
#define LAUNCH(name, count, ...) \
    do { long long blocks = ((count) + 127) / 128; if (blocks > 1048576) blocks = 1048576; if (blocks < 1) blocks = 1; \
         name<<<(unsigned)blocks, 128, 0, (cudaStream_t)stream>>>(__VA_ARGS__); } while (0)
FN void put(u64* place, u64 value) { if (value < *place) atomicMin(place, value); }
FN uint32_t bits(float x) { return __float_as_uint(x); }
#else
#define FN static inline
#define FOR_ALL(count) for (long long i = 0; i < (count); i++)
#define KERNEL(name, ...) static void name(__VA_ARGS__)
#define LAUNCH(name, count, ...) do { (void)stream; name(__VA_ARGS__); } while (0)
FN void put(u64* place, u64 value) { if (value < *place) *place = value; }
FN uint32_t bits(float x) { union { float f; uint32_t u; } v; v.f = x; return v.u; }
#endif

FN int clampi(int x, int lo, int hi) { return x < lo ? lo : (x > hi ? hi : x); }

// Triangles. points (n, V, 3): x, y in samples and depth; a depth <= 0 hides the vertex. tris (T, 3).
KERNEL(triangles_kernel, const float* points, const int* tris, u64* buffer, long long n, int V, int T, int H, int W) {
    FOR_ALL(n * T) {
        int picture = (int)(i / T), t = (int)(i % T);
        const float* p = points + (long long)picture * V * 3;
        const float *a = p + 3 * tris[3 * t], *b = p + 3 * tris[3 * t + 1], *c = p + 3 * tris[3 * t + 2];
        if (!(a[2] > 0 && b[2] > 0 && c[2] > 0)) continue;
        float area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if (fabsf(area) < 1e-9f) continue;
        float inverse = 1.0f / area;
        float x0 = fminf(a[0], fminf(b[0], c[0])), x1 = fmaxf(a[0], fmaxf(b[0], c[0]));
        float y0 = fminf(a[1], fminf(b[1], c[1])), y1 = fmaxf(a[1], fmaxf(b[1], c[1]));
        if (x1 < 0 || y1 < 0 || x0 > W || y0 > H) continue;
        int ix0 = clampi((int)ceilf(x0 - 0.5f), 0, W - 1), ix1 = clampi((int)floorf(x1 - 0.5f), 0, W - 1);
        int iy0 = clampi((int)ceilf(y0 - 0.5f), 0, H - 1), iy1 = clampi((int)floorf(y1 - 0.5f), 0, H - 1);
        float za = 1.0f / a[2], zb = 1.0f / b[2], zc = 1.0f / c[2];
        u64* out = buffer + (long long)picture * H * W;
        for (int y = iy0; y <= iy1; y++)
            for (int x = ix0; x <= ix1; x++) {
                float px = x + 0.5f, py = y + 0.5f;
                float wb = ((px - a[0]) * (c[1] - a[1]) - (py - a[1]) * (c[0] - a[0])) * inverse;
                float wc = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])) * inverse;
                float wa = 1.0f - wb - wc;
                if (wa < 0 || wb < 0 || wc < 0) continue;
                float depth = 1.0f / (wa * za + wb * zb + wc * zc);
                put(out + (long long)y * W + x, ((u64)bits(depth) << 32) | (uint32_t)t);
            }
    }
}

// Hair. points (n, S, K, 3) as above, widths (n, S, K) in samples; a width <= 0 hides the segment.
// Segment k of strand s has the number first + s * (K - 1) + k.
KERNEL(strands_kernel, const float* points, const float* widths, u64* buffer, long long n, int S, int K, int first,
       int H, int W) {
    FOR_ALL(n * S * (K - 1)) {
        long long strand = i / (K - 1);
        int k = (int)(i % (K - 1)), picture = (int)(strand / S), s = (int)(strand % S);
        const float *a = points + (strand * K + k) * 3, *b = a + 3;
        float wa = widths[strand * K + k], wb = widths[strand * K + k + 1];
        if (!(a[2] > 0 && b[2] > 0) || (wa <= 0 && wb <= 0)) continue;
        float dx = b[0] - a[0], dy = b[1] - a[1], length2 = dx * dx + dy * dy;
        if (length2 < 1e-8f) continue;
        float reach = 0.5f * fmaxf(wa, wb) + 0.01f;
        float x0 = fminf(a[0], b[0]) - reach, x1 = fmaxf(a[0], b[0]) + reach;
        float y0 = fminf(a[1], b[1]) - reach, y1 = fmaxf(a[1], b[1]) + reach;
        if (x1 < 0 || y1 < 0 || x0 > W || y0 > H) continue;
        int ix0 = clampi((int)ceilf(x0 - 0.5f), 0, W - 1), ix1 = clampi((int)floorf(x1 - 0.5f), 0, W - 1);
        int iy0 = clampi((int)ceilf(y0 - 0.5f), 0, H - 1), iy1 = clampi((int)floorf(y1 - 0.5f), 0, H - 1);
        float inverse = 1.0f / length2, across = 1.0f / sqrtf(length2);
        u64* out = buffer + (long long)picture * H * W;
        u64 number = (uint32_t)(first + s * (K - 1) + k);
        for (int y = iy0; y <= iy1; y++)
            for (int x = ix0; x <= ix1; x++) {
                float px = x + 0.5f - a[0], py = y + 0.5f - a[1];
                float t = (px * dx + py * dy) * inverse;
                if (t < 0 || t >= 1) continue;
                float d = fabsf(px * dy - py * dx) * across;
                if (d > 0.5f * (wa + (wb - wa) * t)) continue;
                float depth = a[2] + (b[2] - a[2]) * t;
                put(out + (long long)y * W + x, ((u64)bits(depth) << 32) | number);
            }
    }
}

// What each sample shows: depth (infinity: nothing), number of the primitive (-1: nothing), and weights: of the second
// and third corner of a triangle, corrected for perspective, or place along (0..1) and across (-1..1) a hair segment.
KERNEL(resolve_kernel, const u64* buffer, const float* points, const int* tris, const float* hair, const float* widths,
       float* depth, int* number, float* weight, long long n, int V, int T, int S, int K, int H, int W) {
    FOR_ALL(n * H * W) {
        u64 value = buffer[i];
        int id = (int)(uint32_t)value;
        if (value == ~0ull) {
            depth[i] = INFINITY; number[i] = -1; weight[2 * i] = weight[2 * i + 1] = 0;
            continue;
        }
        int picture = (int)(i / ((long long)H * W)), x = (int)(i % W), y = (int)(i / W % H);
        union { uint32_t u; float f; } z;
        z.u = (uint32_t)(value >> 32);
        depth[i] = z.f;
        number[i] = id;
        float px = x + 0.5f, py = y + 0.5f;
        if (id < T) {
            const float* p = points + (long long)picture * V * 3;
            const float *a = p + 3 * tris[3 * id], *b = p + 3 * tris[3 * id + 1], *c = p + 3 * tris[3 * id + 2];
            float inverse = 1.0f / ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
            float wb = ((px - a[0]) * (c[1] - a[1]) - (py - a[1]) * (c[0] - a[0])) * inverse;
            float wc = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])) * inverse;
            weight[2 * i] = wb * z.f / b[2];
            weight[2 * i + 1] = wc * z.f / c[2];
        } else {
            int s = (id - T) / (K - 1), k = (id - T) % (K - 1);
            long long at = ((long long)picture * S + s) * K + k;
            const float *a = hair + at * 3, *b = a + 3;
            float dx = b[0] - a[0], dy = b[1] - a[1], length2 = dx * dx + dy * dy;
            float t = ((px - a[0]) * dx + (py - a[1]) * dy) / length2;
            float half = 0.5f * (widths[at] + (widths[at + 1] - widths[at]) * t);
            weight[2 * i] = t;
            weight[2 * i + 1] = ((px - a[0]) * dy - (py - a[1]) * dx) / sqrtf(length2) / fmaxf(half, 1e-6f);
        }
    }
}

FN uint32_t scramble(uint32_t x) {
    x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; x ^= x >> 16;
    return x;
}
FN float lattice(int x, int y, int z, uint32_t seed) {
    uint32_t h = scramble((uint32_t)x * 0x9e3779b1u ^ scramble((uint32_t)y * 0x85ebca77u ^ scramble((uint32_t)z * 0xc2b2ae3du ^ seed)));
    return (float)(h >> 8) * (2.0f / 16777216.0f) - 1.0f;
}

// Value noise, -1 to 1, and its gradient by the position: points (N, 3), seeds (N,), out (N, 4).
KERNEL(noise_kernel, const float* points, const int* seeds, float* out, long long count, float cell) {
    FOR_ALL(count) {
        float f[3], s[3], g[3];
        int c[3];
        for (int k = 0; k < 3; k++) {
            float q = points[3 * i + k] / cell, base = floorf(q);
            c[k] = (int)base;
            f[k] = q - base;
            s[k] = f[k] * f[k] * (3.0f - 2.0f * f[k]);
            g[k] = 6.0f * f[k] * (1.0f - f[k]) / cell;
        }
        uint32_t seed = scramble((uint32_t)seeds[i]);
        float v[8];
        for (int k = 0; k < 8; k++) v[k] = lattice(c[0] + (k & 1), c[1] + (k >> 1 & 1), c[2] + (k >> 2), seed);
        float x0 = v[0] + s[0] * (v[1] - v[0]), x1 = v[2] + s[0] * (v[3] - v[2]);
        float x2 = v[4] + s[0] * (v[5] - v[4]), x3 = v[6] + s[0] * (v[7] - v[6]);
        float y0 = x0 + s[1] * (x1 - x0), y1 = x2 + s[1] * (x3 - x2);
        out[4 * i] = y0 + s[2] * (y1 - y0);
        float d0 = v[1] - v[0] + s[1] * (v[3] - v[2] - v[1] + v[0]), d1 = v[5] - v[4] + s[1] * (v[7] - v[6] - v[5] + v[4]);
        out[4 * i + 1] = g[0] * (d0 + s[2] * (d1 - d0));
        out[4 * i + 2] = g[1] * (x1 - x0 + s[2] * (x3 - x2 - x1 + x0));
        out[4 * i + 3] = g[2] * (y1 - y0);
    }
}

extern "C" {
void p3d_triangles(const float* points, const int* tris, u64* buffer, long long n, int V, int T, int H, int W, void* stream) {
    LAUNCH(triangles_kernel, n * T, points, tris, buffer, n, V, T, H, W);
}
void p3d_strands(const float* points, const float* widths, u64* buffer, long long n, int S, int K, int first, int H, int W,
                 void* stream) {
    LAUNCH(strands_kernel, n * S * (K - 1), points, widths, buffer, n, S, K, first, H, W);
}
void p3d_resolve(const u64* buffer, const float* points, const int* tris, const float* hair, const float* widths,
                 float* depth, int* number, float* weight, long long n, int V, int T, int S, int K, int H, int W, void* stream) {
    LAUNCH(resolve_kernel, n * H * W, buffer, points, tris, hair, widths, depth, number, weight, n, V, T, S, K, H, W);
}
void p3d_noise(const float* points, const int* seeds, float* out, long long count, float cell, void* stream) {
    LAUNCH(noise_kernel, count, points, seeds, out, count, cell);
}
}
