/* The room of the virtual card: what the microphone hears of the speaker through an
 * impulse response of thousands of taps, and through a loudspeaker that clips.
 *
 * It runs where the microphone is read.  The response is cut into equal parts, each
 * multiplied in the frequency domain (uniformly partitioned overlap-save); the sum over
 * all parts but the first is made once a part, the first is applied to what has come of
 * the present part, at each read.  So there is no delay, whatever the reads' sizes.
 * Where the two directions' clocks differ, the speaker is read between its frames, by
 * a windowed sinc.  Included by vcard.c. */
#ifndef VC_ROOM_H
#define VC_ROOM_H

#define VC_PART 256
#define VC_FFT (2 * VC_PART)
#define VC_LOBES 24    /* zero crossings of the sinc on either side */
#define VC_PHASES 1024 /* places between two frames; interpolated */

struct vc_spectrum { /* of something real */
	float re[VC_PART + 1], im[VC_PART + 1];
};

struct vc_room {
	uint32_t changes;	 /* those of the card that it has seen */
	uint32_t parts;		 /* of the response; 0: it hears nothing */
	struct vc_spectrum *taps;  /* of each part */
	struct vc_spectrum *past;  /* of what sounded, a ring */
	struct vc_spectrum later; /* what all parts but the first bring to the present one */
	float window[VC_FFT];	 /* the part before, and the present one as far as it has come */
	float re[VC_FFT], im[VC_FFT];
	uint32_t newest, filled;
	uint64_t next;		 /* the microphone's frame that comes next */
	int running, summed;	 /* summed: `later` is that of the present part */
};

static float vc_cos[VC_FFT], vc_sin[VC_FFT];
static float vc_kernel[VC_PHASES + 1][2 * VC_LOBES];

static double bessel0(double x)
{
	double sum = 1, term = 1;
	int k;

	for (k = 1; k < 60; k++) {
		term *= x / (2 * k) * (x / (2 * k));
		sum += term;
	}
	return sum;
}

__attribute__((constructor)) static void make_tables(void)
{
	int i, k;

	for (i = 0; i < VC_FFT; i++) {
		vc_cos[i] = cos(2 * M_PI * i / VC_FFT);
		vc_sin[i] = sin(2 * M_PI * i / VC_FFT);
	}
	for (i = 0; i <= VC_PHASES; i++)
		for (k = 0; k < 2 * VC_LOBES; k++) {
			double d = k - (VC_LOBES - 1) - (double)i / VC_PHASES;
			double in = 1 - d * d / (VC_LOBES * VC_LOBES);
			double s = fabs(d) < 1e-9 ? 1 : sin(M_PI * d) / (M_PI * d);
			vc_kernel[i][k] = in < 0 ? 0 : s * bessel0(8 * sqrt(in)) / bessel0(8);
		}
}

/* In place; sign -1: forwards, 1: backwards, without the division. */
static void fft(float *re, float *im, int sign)
{
	unsigned i, j = 0, k, half, step;
	float t, wr, wi;

	for (i = 1; i < VC_FFT; i++) {
		for (k = VC_FFT / 2; j & k; k /= 2)
			j ^= k;
		j ^= k;
		if (i < j) {
			t = re[i], re[i] = re[j], re[j] = t;
			t = im[i], im[i] = im[j], im[j] = t;
		}
	}
	for (half = 1, step = VC_FFT / 2; half < VC_FFT; half *= 2, step /= 2)
		for (i = 0; i < VC_FFT; i += 2 * half)
			for (k = 0; k < half; k++) {
				float *ar = re + i + k, *ai = im + i + k, *br = ar + half, *bi = ai + half;
				wr = vc_cos[k * step], wi = sign * vc_sin[k * step];
				t = *br * wr - *bi * wi;
				*bi = *br * wi + *bi * wr;
				*br = *ar - t, *ar += t;
				t = *bi;
				*bi = *ai - t, *ai += t;
			}
}

static void add_product(struct vc_spectrum *sum, const struct vc_spectrum *a, const struct vc_spectrum *b)
{
	for (int i = 0; i <= VC_PART; i++) {
		sum->re[i] += a->re[i] * b->re[i] - a->im[i] * b->im[i];
		sum->im[i] += a->re[i] * b->im[i] + a->im[i] * b->re[i];
	}
}

static void room_free(struct vc_room *r)
{
	free(r->taps);
	free(r->past);
	r->taps = r->past = NULL;
	r->parts = 0;
}

/* Takes the card's response, where it has changed and is whole. */
static void room_load(struct vc_room *r, struct vc_card *k, const float *impulse)
{
	uint32_t changes = __atomic_load_n(&k->changes, __ATOMIC_ACQUIRE), n, parts, i, j;

	if (changes == r->changes || changes & 1)
		return;
	n = k->impulse < VC_IMPULSE ? k->impulse : VC_IMPULSE;
	room_free(r);
	r->running = 0;
	parts = (n + VC_PART - 1) / VC_PART;
	r->taps = calloc(parts ? parts : 1, sizeof *r->taps);
	r->past = calloc(parts ? parts : 1, sizeof *r->past);
	if (!r->taps || !r->past)
		return room_free(r);
	for (i = 0; i < parts; i++) {
		memset(r->re, 0, sizeof r->re);
		memset(r->im, 0, sizeof r->im);
		for (j = 0; j < VC_PART && i * VC_PART + j < n; j++)
			r->re[j] = impulse[i * VC_PART + j];
		fft(r->re, r->im, -1);
		memcpy(r->taps[i].re, r->re, sizeof r->taps[i].re);
		memcpy(r->taps[i].im, r->im, sizeof r->taps[i].im);
	}
	if (__atomic_load_n(&k->changes, __ATOMIC_ACQUIRE) == changes) {
		r->changes = changes;
		r->parts = parts;
	}
}

/* One frame of the speaker, all channels of it: full scale is 32768. */
static float spk_sample(struct vc_card *k, const int16_t *spk, int64_t p)
{
	struct vc_dir *s = &k->dir[SPK];
	float x = 0, drive = k->drive / 1000.0f;

	if (p < 0 || (uint64_t)p >= s->hi || p + k->ring <= s->hi)
		return 0;
	for (uint32_t c = 0; c < s->channels; c++) {
		float one = spk[(p % k->ring) * s->channels + c];
		x += drive > 0 ? tanhf(drive * one / 32768) / drive * 32768 : one;
	}
	return x / s->channels;
}

/* What sounds at up to VC_PART frames of the microphone. */
static void spk_read(struct vc_card *k, const int16_t *spk, uint64_t f, uint32_t n, float *out)
{
	struct vc_dir *s = &k->dir[SPK], *m = &k->dir[MIC];
	float near[VC_PART + 2 * VC_LOBES + 64];
	uint32_t i, c;

	if (s->ppm == m->ppm && s->epoch_ns == m->epoch_ns) {
		for (i = 0; i < n; i++)
			out[i] = spk_sample(k, spk, f + i);
		return;
	}
	double ratio = (1 + s->ppm * 1e-6) / (1 + m->ppm * 1e-6);
	double place = (m->epoch_ns - s->epoch_ns) * 1e-9 * k->rate * (1 + s->ppm * 1e-6) + f * ratio;
	int64_t first = (int64_t)floor(place) - (VC_LOBES - 1);
	uint32_t count = (uint32_t)(n * ratio) + 2 * VC_LOBES + 2;

	if (count > sizeof near / sizeof *near) /* a clock that is wrong by a tenth and more */
		count = sizeof near / sizeof *near;
	for (i = 0; i < count; i++)
		near[i] = spk_sample(k, spk, first + i);
	for (i = 0; i < n; i++) {
		double at = place + i * ratio, whole = floor(at), phase = (at - whole) * VC_PHASES;
		int64_t begin = (int64_t)whole - (VC_LOBES - 1) - first;
		uint32_t low = (uint32_t)phase;
		float part = phase - low, a = 0, b = 0;

		out[i] = 0;
		if (begin + 2 * VC_LOBES > count)
			continue;
		for (c = 0; c < 2 * VC_LOBES; c++) {
			a += near[begin + c] * vc_kernel[low][c];
			b += near[begin + c] * vc_kernel[low + 1][c];
		}
		out[i] = a + (b - a) * part;
	}
}

static void room_go_on(struct vc_room *r, const struct vc_spectrum *spectrum)
{
	r->newest = (r->newest + 1) % r->parts;
	r->past[r->newest] = *spectrum;
	r->summed = 0;
	memcpy(r->window, r->window + VC_PART, sizeof r->window / 2);
	memset(r->window + VC_PART, 0, sizeof r->window / 2);
	r->filled = 0;
}

static void room_sum(struct vc_room *r)
{
	uint32_t i;

	memset(&r->later, 0, sizeof r->later);
	for (i = 1; i < r->parts; i++)
		add_product(&r->later, &r->taps[i], &r->past[(r->newest + r->parts + 1 - i) % r->parts]);
	r->summed = 1;
}

/* The next n frames, all within the present part; out: NULL, or what is heard in them. */
static void room_take(struct vc_room *r, struct vc_card *k, const int16_t *spk, uint64_t f, uint32_t n, float *out)
{
	struct vc_spectrum spectrum, heard;
	uint32_t i;

	spk_read(k, spk, f, n, r->window + VC_PART + r->filled);
	memcpy(r->re, r->window, sizeof r->re);
	memset(r->im, 0, sizeof r->im);
	fft(r->re, r->im, -1);
	memcpy(spectrum.re, r->re, sizeof spectrum.re);
	memcpy(spectrum.im, r->im, sizeof spectrum.im);
	if (out) {
		if (!r->summed)
			room_sum(r);
		heard = r->later;
		add_product(&heard, &r->taps[0], &spectrum);
		memcpy(r->re, heard.re, sizeof heard.re);
		memcpy(r->im, heard.im, sizeof heard.im);
		for (i = 1; i < VC_PART; i++) {
			r->re[VC_FFT - i] = heard.re[i];
			r->im[VC_FFT - i] = -heard.im[i];
		}
		fft(r->re, r->im, 1);
		for (i = 0; i < n; i++)
			out[i] = r->re[VC_PART + r->filled + i] / VC_FFT;
	}
	r->filled += n;
	if (r->filled == VC_PART)
		room_go_on(r, &spectrum);
}

/* What the microphone hears of the speaker in n frames from f on; 0: nothing. */
static int room_echo(struct vc_room *r, struct vc_card *k, const int16_t *spk, uint64_t f, uint64_t n, float *out)
{
	uint64_t at, end = f + n, some, before;

	room_load(r, k, (const float *)(spk + (size_t)k->ring * k->dir[SPK].channels));
	if (!r->parts)
		return 0;
	at = f;
	if (!r->running || r->next != f) { /* hear again what still echoes */
		before = (uint64_t)r->parts * VC_PART;
		at = f > before ? f - before : 0;
		memset(r->window, 0, sizeof r->window);
		memset(r->past, 0, r->parts * sizeof *r->past);
		r->filled = r->summed = 0;
		r->running = 1;
	}
	for (; at < end; at += some) {
		some = (at < f ? f : end) - at;
		if (some > VC_PART - r->filled)
			some = VC_PART - r->filled;
		room_take(r, k, spk, at, some, at < f ? NULL : out + (at - f));
	}
	r->next = end;
	return 1;
}

#endif
