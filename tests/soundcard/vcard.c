/* vcard: a virtual sound card, as a PCM plugin for ALSA's userland library.
 *
 * A program that opens the PCM gets a device with the manners of hardware: one
 * fixed rate, fixed channel counts, one sample format (16 bit, unless its
 * configuration names another), one user at a time, wake-ups at
 * period boundaries of a real-time clock, a position that moves in periods (as
 * avail_update of a kernel device shows it), overruns and underruns.  There is no
 * kernel driver and no daemon.  The "card" is a shared-memory file:
 *
 *     struct vc_card (first page) | microphone ring | speaker ring | impulse response
 *
 * Rings are addressed by the card's frame number, (now - epoch) * rate with now
 * = CLOCK_MONOTONIC, so that microphone and speaker lie on one time line (unless
 * the tester gives one of them a clock error) and a delay through a program under
 * test can be read off to the frame.  card.py
 * beside this file puts sound into the microphone ring, takes it out of the
 * speaker ring, joins the two acoustically, and injects faults.  The way through
 * the air is a few taps, or an impulse response of thousands: room.h.
 */
#define _GNU_SOURCE
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define VC_MAGIC 0x33434356u /* "VCC3" */
#define VC_TAPS 16
#define VC_HEADER 4096
#define VC_IMPULSE (1u << 17) /* most taps of an impulse response */

/* UNPLUG: the stream breaks off with an overrun or underrun, and no call works
 * after that (a USB device pulled out).  VANISH: the state is DISCONNECTED at
 * once.  STALL: no error, but time stands still.  XRUN: once.  BUSY: on opening.
 * BREAK: poll fails, as when a sound server dies. */
enum { F_NONE, F_UNPLUG, F_STALL, F_XRUN, F_BUSY, F_VANISH, F_BREAK };
enum { MIC, SPK };

struct vc_dir { /* one direction; shared.py has the same, keep in step */
	uint32_t channels;
	int32_t ppm;		/* error of this direction's clock */
	uint32_t fault;		/* F_*: written by the tester */
	uint32_t wake_delay_us; /* added to each wake-up: written by the tester */
	uint32_t grain;		/* position is told in steps of so many frames; 0: a period */
	uint32_t lose;		/* frames to lose, once: written by the tester */
	int64_t epoch_ns;	/* when this direction's frame 0 was */
	uint64_t lo, hi;	/* frames [lo, hi) of the ring are valid */
	/* what the plugin tells */
	uint32_t pid, running, period, buffer;
	uint64_t opens, starts, xruns;
	uint64_t late;		/* playback frames written after their time, so not heard */
	uint64_t base;		/* card frame of the running stream's frame 0 */
	uint64_t appl;		/* frames the program has moved since */
	uint32_t loss, loss_every; /* so many frames are lost every so many: written by the tester */
	uint64_t lost;		/* frames that were lost so: nobody was told */
};

struct vc_card {
	uint32_t magic, rate, ring, exclusive;
	uint32_t ntaps;
	uint32_t impulse;	/* taps of the impulse response */
	uint32_t changes;	/* of it; odd while it is being written */
	uint32_t drive;		/* of the loudspeaker's clipping, in thousandths; 0: it does not clip */
	struct { uint32_t delay; float gain; } tap[VC_TAPS]; /* speaker -> microphone */
	struct vc_dir dir[2];
};

#include "room.h"

typedef struct {
	snd_pcm_ioplug_t io;
	struct vc_card *card;
	size_t map_len;
	struct vc_dir *d;
	int16_t *mic, *spk;
	int which, lock_fd, running;
	uint64_t base;	       /* card frame at which the stream started */
	uint64_t hw;	       /* frames since then */
	uint64_t skip_at;      /* the frame from which on the last loss is in `base` ... */
	uint64_t old_base;     /* ... and the base of those before */
	uint64_t next_loss;    /* of the script: its frame */
	struct vc_room room;   /* of a microphone */
	float *echo;	       /* what it hears of the speaker in a transfer */
	int16_t *pend;	       /* playback written before the start */
	int16_t *row;	       /* playback of another sample format, as 16 bit */
	snd_pcm_format_t format;
	uint64_t npend;
	snd_pcm_uframes_t avail_min, stop_threshold, period;
} vcard_t;

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double hz(const vcard_t *v)
{
	return v->card->rate * (1.0 + v->d->ppm * 1e-6);
}

static uint64_t card_frame(const vcard_t *v)
{
	return (uint64_t)((now_ns() - v->d->epoch_ns) * (hz(v) * 1e-9));
}

static snd_pcm_sframes_t avail_of(const vcard_t *v)
{
	int64_t a = (int64_t)(v->hw - v->io.appl_ptr);
	return v->which == MIC ? a : a + (int64_t)v->io.buffer_size;
}

/* Sets the timer to the first period boundary at which avail_min is reached
 * (at once if that has passed: level-triggered, as the kernel's poll is). */
static void arm(vcard_t *v)
{
	struct itimerspec t = {0};
	uint64_t want = v->io.appl_ptr + v->avail_min;
	int64_t ns;

	if (v->which == SPK)
		want = want > v->io.buffer_size ? want - v->io.buffer_size : 0;
	want = (want + v->period - 1) / v->period * v->period;
	ns = v->d->epoch_ns + (int64_t)((v->base + want) * (1e9 / hz(v))) + 1000 +
	     v->d->wake_delay_us * 1000LL;
	if (v->d->fault == F_STALL || !v->running)
		ns = now_ns() + 20000000; /* look again for a changed fault */
	t.it_value.tv_sec = ns / 1000000000;
	t.it_value.tv_nsec = ns % 1000000000;
	timerfd_settime(v->io.poll_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

/* Frames vanish, and nobody is told: time passes, the position stands still, and goes
 * on.  What was available before is still what it was. */
static void lose(vcard_t *v)
{
	uint64_t n = v->d->lose;

	v->d->lose = 0;
	if (v->d->loss && v->d->loss_every && v->io.appl_ptr >= v->next_loss) {
		n += v->d->loss;
		v->next_loss = v->io.appl_ptr + v->d->loss_every;
	}
	if (!n || v->io.appl_ptr < v->skip_at)
		return;
	v->old_base = v->base;
	v->skip_at = v->which == MIC ? v->hw : v->io.appl_ptr;
	v->base += n;
	v->d->base = v->base;
	v->d->lost += n;
}

static void spk_write(vcard_t *v, uint64_t f, const int16_t *src, uint64_t n)
{
	uint32_t ring = v->card->ring, ch = v->d->channels;
	uint64_t g = v->d->hi, i, now = card_frame(v), skip = 0;

	if (f < now) { /* its time has passed: the loudspeaker was silent there */
		skip = now - f < n ? now - f : n;
		v->d->late += skip;
		f += skip;
		src += skip * ch;
		n -= skip;
	}
	if (f > g + ring)
		g = f - ring;
	for (; g < f; g++)
		memset(v->spk + (g % ring) * ch, 0, ch * 2);
	for (i = 0; i < n; i++)
		memcpy(v->spk + ((f + i) % ring) * ch, src + i * ch, ch * 2);
	if (f + n > v->d->hi)
		__atomic_store_n(&v->d->hi, f + n, __ATOMIC_RELEASE);
}

/* Full scale is 32768; it may be more. */
static float mic_sample(vcard_t *v, uint64_t f, uint32_t c) /* without the room */
{
	struct vc_card *k = v->card;
	struct vc_dir *s = &k->dir[SPK];
	float x = 0;
	uint32_t i;

	if (f >= v->d->lo && f < v->d->hi && f + k->ring >= v->d->hi)
		x = v->mic[(f % k->ring) * v->d->channels + c];
	if (k->ntaps) {
		uint64_t g = f; /* the speaker's frame at the same moment */
		if (s->ppm != v->d->ppm || s->epoch_ns != v->d->epoch_ns)
			g = (uint64_t)((v->d->epoch_ns - s->epoch_ns) * 1e-9 * k->rate * (1 + s->ppm * 1e-6) +
				       f * (1 + s->ppm * 1e-6) / (1 + v->d->ppm * 1e-6));
		for (i = 0; i < k->ntaps && i < VC_TAPS; i++) {
			uint64_t p = g - k->tap[i].delay;
			if (p < s->hi && p + k->ring > s->hi)
				x += k->tap[i].gain * v->spk[(p % k->ring) * s->channels];
		}
	}
	return x;
}

static double clipped(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

/* One sample as the device has it, little-endian.  Floats are not clipped. */
static void put_sample(snd_pcm_format_t format, char *p, float x)
{
	int32_t wide;
	int16_t narrow;

	switch (format) {
	case SND_PCM_FORMAT_FLOAT_LE:
		x /= 32768;
		memcpy(p, &x, 4);
		break;
	case SND_PCM_FORMAT_S32_LE:
		wide = (int32_t)clipped(x * 65536.0, INT32_MIN, INT32_MAX);
		memcpy(p, &wide, 4);
		break;
	case SND_PCM_FORMAT_S24_3LE:
		wide = (int32_t)clipped(x * 256.0, -8388608, 8388607);
		memcpy(p, &wide, 3);
		break;
	default:
		narrow = (int16_t)clipped(x, -32768, 32767);
		memcpy(p, &narrow, 2);
	}
}

static int16_t get_sample(snd_pcm_format_t format, const char *p)
{
	float x;
	int32_t wide = 0;
	int16_t narrow;

	switch (format) {
	case SND_PCM_FORMAT_FLOAT_LE:
		memcpy(&x, p, 4);
		return (int16_t)lrint(clipped(x * 32768.0, -32768, 32767));
	case SND_PCM_FORMAT_S32_LE:
		memcpy(&wide, p, 4);
		return (int16_t)(wide >> 16);
	case SND_PCM_FORMAT_S24_3LE:
		memcpy((char *)&wide + 1, p, 3);
		return (int16_t)(wide >> 16);
	default:
		memcpy(&narrow, p, 2);
		return narrow;
	}
}

/* Frames since the start, in the steps in which the device tells them. */
static uint64_t position(const vcard_t *v)
{
	uint64_t grain = v->d->grain ? v->d->grain : v->period, now = card_frame(v);

	return now < v->base ? 0 : (now - v->base) / grain * grain;
}

static int gone(const vcard_t *v)
{
	return v->d->fault == F_UNPLUG || v->d->fault == F_VANISH;
}

static snd_pcm_sframes_t vc_pointer(snd_pcm_ioplug_t *io)
{
	vcard_t *v = io->private_data;
	uint64_t f;

	if (v->d->fault == F_UNPLUG && io->state == SND_PCM_STATE_RUNNING) {
		v->d->xruns++;
		return -EPIPE;
	}
	if (gone(v)) {
		snd_pcm_ioplug_set_state(io, SND_PCM_STATE_DISCONNECTED);
		return v->hw;
	}
	if (!v->running)
		return v->hw;
	if (v->d->fault == F_STALL) /* time stands still for this device */
		return v->hw;
	f = position(v);
	if (f > v->hw)
		v->hw = f;
	if (io->state == SND_PCM_STATE_DRAINING) { /* ends within a period */
		f = card_frame(v);
		f = f < v->base ? v->hw : f - v->base;
		v->hw = f < io->appl_ptr ? f : io->appl_ptr;
		return v->hw;
	}
	if (v->d->fault == F_XRUN || avail_of(v) >= (snd_pcm_sframes_t)v->stop_threshold) {
		if (v->d->fault == F_XRUN)
			v->d->fault = F_NONE;
		v->d->xruns++;
		return -EPIPE;
	}
	return v->hw;
}

/* Frames up to a loss, and those behind it. */
static void mic_read(vcard_t *v, char *p, uint32_t step, uint32_t width, uint64_t n)
{
	uint64_t at = v->io.appl_ptr, end = at + n, to, f, i;
	uint32_t c;

	for (; at < end; at = to) {
		to = at < v->skip_at && v->skip_at < end ? v->skip_at : end;
		f = at + (at < v->skip_at ? v->old_base : v->base);
		int echoes = room_echo(&v->room, v->card, v->spk, f, to - at, v->echo);
		for (i = 0; i < to - at; i++, p += step)
			for (c = 0; c < v->io.channels; c++)
				put_sample(v->format, p + c * width,
					   mic_sample(v, f + i, c) + (echoes ? v->echo[i] : 0));
	}
}

static snd_pcm_sframes_t vc_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *a,
				     snd_pcm_uframes_t off, snd_pcm_uframes_t n)
{
	vcard_t *v = io->private_data;
	uint32_t ch = io->channels, step = a->step / 8, c;
	char *p = (char *)a->addr + a->first / 8 + off * step;
	uint32_t width = snd_pcm_format_physical_width(v->format) / 8;
	uint64_t f, i;

	if (gone(v))
		return -ENODEV;
	if (v->running)
		lose(v);
	if (v->which == MIC) {
		mic_read(v, p, step, width, n);
		v->d->appl = io->appl_ptr + n;
		return n;
	}
	f = v->base + io->appl_ptr;
	if (v->format != SND_PCM_FORMAT_S16_LE) {
		for (i = 0; i < n; i++, p += step)
			for (c = 0; c < ch; c++)
				v->row[i * ch + c] = get_sample(v->format, p + c * width);
		p = (char *)v->row;
	}
	if (v->running) {
		spk_write(v, f, (int16_t *)p, n);
	} else {
		if (io->appl_ptr + n > io->buffer_size)
			return -EPIPE;
		memcpy(v->pend + io->appl_ptr * ch, p, n * ch * 2);
		v->npend = io->appl_ptr + n;
	}
	v->d->appl = io->appl_ptr + n;
	return n;
}

static int vc_prepare(snd_pcm_ioplug_t *io)
{
	vcard_t *v = io->private_data;

	if (gone(v)) {
		snd_pcm_ioplug_set_state(io, SND_PCM_STATE_DISCONNECTED);
		return -ENODEV;
	}
	v->running = v->d->running = 0;
	v->hw = v->npend = 0;
	arm(v);
	return 0;
}

static int vc_start(snd_pcm_ioplug_t *io)
{
	vcard_t *v = io->private_data;

	if (gone(v))
		return -ENODEV;
	v->base = v->d->base = card_frame(v);
	v->hw = v->skip_at = 0;
	v->next_loss = v->d->loss_every;
	v->running = v->d->running = 1;
	v->d->starts++;
	if (v->which == SPK && v->npend)
		spk_write(v, v->base, v->pend, v->npend);
	arm(v);
	return 0;
}

static int vc_stop(snd_pcm_ioplug_t *io)
{
	vcard_t *v = io->private_data;

	/* what was written but not yet played is dropped */
	if (v->which == SPK && v->running) {
		uint64_t now = card_frame(v);
		if (v->d->hi > now)
			__atomic_store_n(&v->d->hi, now, __ATOMIC_RELEASE);
	}
	v->running = v->d->running = 0;
	v->npend = 0;
	return 0;
}

static int vc_poll_descriptors(snd_pcm_ioplug_t *io, struct pollfd *p, unsigned int n)
{
	vcard_t *v = io->private_data;

	if (n < 1)
		return 0;
	arm(v);
	p->fd = io->poll_fd;
	p->events = POLLIN;
	return 1;
}

static int vc_poll_count(snd_pcm_ioplug_t *io)
{
	(void)io;
	return 1;
}

static int vc_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *p, unsigned int n,
			   unsigned short *rev)
{
	vcard_t *v = io->private_data;
	unsigned short ready = v->which == MIC ? POLLIN : POLLOUT;

	*rev = 0;
	if (n < 1)
		return 0;
	if (gone(v)) {
		*rev = POLLERR | POLLNVAL;
		return 0;
	}
	if (v->d->fault == F_BREAK)
		return -EIO;
	if (!(p->revents & POLLIN))
		return 0;
	if (v->d->fault == F_STALL) {
		arm(v);
		return 0;
	}
	if (v->running && v->d->fault != F_XRUN) {
		uint64_t f = position(v);
		if (f > v->hw)
			v->hw = f;
	}
	if (v->d->fault == F_XRUN || avail_of(v) >= (snd_pcm_sframes_t)v->stop_threshold)
		*rev = ready | POLLERR;
	else if (avail_of(v) >= (snd_pcm_sframes_t)v->avail_min)
		*rev = ready;
	else
		arm(v);
	return 0;
}

static int vc_hw_params(snd_pcm_ioplug_t *io, snd_pcm_hw_params_t *hw)
{
	vcard_t *v = io->private_data;

	(void)hw;
	free(v->pend);
	free(v->row);
	free(v->echo);
	v->echo = calloc(io->buffer_size, sizeof *v->echo);
	v->pend = calloc(io->buffer_size, io->channels * 2);
	v->row = calloc(io->buffer_size, io->channels * 2);
	v->period = v->avail_min = io->period_size;
	v->stop_threshold = io->buffer_size;
	v->d->period = io->period_size;
	v->d->buffer = io->buffer_size;
	return v->pend && v->row && v->echo ? 0 : -ENOMEM;
}

static int vc_sw_params(snd_pcm_ioplug_t *io, snd_pcm_sw_params_t *sw)
{
	vcard_t *v = io->private_data;

	snd_pcm_sw_params_get_avail_min(sw, &v->avail_min);
	snd_pcm_sw_params_get_stop_threshold(sw, &v->stop_threshold);
	return 0;
}

static int vc_close(snd_pcm_ioplug_t *io)
{
	vcard_t *v = io->private_data;

	if (v->running)
		vc_stop(io);
	v->d->pid = 0;
	close(v->lock_fd);
	close(io->poll_fd);
	munmap(v->card, v->map_len);
	free(v->pend);
	free(v->row);
	free(v->echo);
	room_free(&v->room);
	free(v);
	return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
	.start = vc_start,
	.stop = vc_stop,
	.pointer = vc_pointer,
	.transfer = vc_transfer,
	.close = vc_close,
	.hw_params = vc_hw_params,
	.sw_params = vc_sw_params,
	.prepare = vc_prepare,
	.poll_descriptors_count = vc_poll_count,
	.poll_descriptors = vc_poll_descriptors,
	.poll_revents = vc_poll_revents,
};

static int map_card(vcard_t *v, const char *file)
{
	struct stat st;
	int fd = open(file, O_RDWR | O_CLOEXEC), rc = -ENODEV;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && st.st_size > VC_HEADER) {
		v->map_len = st.st_size;
		v->card = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (v->card != MAP_FAILED && v->card->magic == VC_MAGIC)
			rc = 0;
	}
	close(fd);
	return rc;
}

SND_PCM_PLUGIN_DEFINE_FUNC(vcard)
{
	snd_config_iterator_t i, next;
	const char *file = NULL, *sample = "S16_LE";
	char lock[4096];
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	unsigned int access[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED};
	unsigned int format[1];
	unsigned int bytes;
	vcard_t *v;
	int err;

	(void)root;
	snd_config_for_each(i, next, conf) {
		snd_config_t *n = snd_config_iterator_entry(i);
		const char *id;
		if (snd_config_get_id(n, &id) < 0 || !strcmp(id, "comment") ||
		    !strcmp(id, "type") || !strcmp(id, "hint"))
			continue;
		if (!strcmp(id, "card")) {
			snd_config_get_string(n, &file);
			continue;
		}
		if (!strcmp(id, "format")) {
			snd_config_get_string(n, &sample);
			continue;
		}
		SNDERR("vcard: unknown field %s", id);
		return -EINVAL;
	}
	if (!file)
		return -EINVAL;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->lock_fd = -1;
	v->format = snd_pcm_format_value(sample);
	format[0] = v->format;
	v->which = stream == SND_PCM_STREAM_CAPTURE ? MIC : SPK;
	err = map_card(v, file);
	if (err < 0)
		goto fail;
	v->d = &v->card->dir[v->which];
	v->mic = (int16_t *)((char *)v->card + VC_HEADER);
	v->spk = v->mic + (size_t)v->card->ring * v->card->dir[MIC].channels;
	err = -ENODEV;
	if (gone(v) || !v->d->channels)
		goto fail_map;
	err = -EBUSY;
	if (v->d->fault == F_BUSY)
		goto fail_map;
	snprintf(lock, sizeof lock, "%s.%s", file, v->which == MIC ? "mic" : "spk");
	v->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (v->card->exclusive && (v->lock_fd < 0 || fcntl(v->lock_fd, F_OFD_SETLK, &fl) < 0))
		goto fail_map;

	v->io.version = SND_PCM_IOPLUG_VERSION;
	v->io.name = "virtual sound card";
	v->io.callback = &callbacks;
	v->io.private_data = v;
	v->io.mmap_rw = 0;
	v->io.flags = SND_PCM_IOPLUG_FLAG_BOUNDARY_WA | SND_PCM_IOPLUG_FLAG_MONOTONIC;
	v->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	v->io.poll_events = POLLIN;
	err = snd_pcm_ioplug_create(&v->io, name, stream, mode);
	if (err < 0)
		goto fail_map;
	bytes = v->d->channels * snd_pcm_format_physical_width(v->format) / 8;
	if ((err = snd_pcm_ioplug_set_param_list(&v->io, SND_PCM_IOPLUG_HW_ACCESS, 2, access)) < 0 ||
	    (err = snd_pcm_ioplug_set_param_list(&v->io, SND_PCM_IOPLUG_HW_FORMAT, 1, format)) < 0 ||
	    (err = snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_CHANNELS,
						   v->d->channels, v->d->channels)) < 0 ||
	    (err = snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_RATE, v->card->rate,
						   v->card->rate)) < 0 ||
	    (err = snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_PERIOD_BYTES,
						   16 * bytes, 16384 * bytes)) < 0 ||
	    (err = snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_BUFFER_BYTES,
						   32 * bytes, 65536 * bytes)) < 0 ||
	    (err = snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_PERIODS, 2, 32)) < 0) {
		snd_pcm_ioplug_delete(&v->io); /* closes, and frees v */
		return err;
	}
	v->period = v->avail_min = 1;
	v->d->pid = getpid();
	v->d->opens++;
	*pcmp = v->io.pcm;
	return 0;

fail_map:
	if (v->lock_fd >= 0)
		close(v->lock_fd);
	munmap(v->card, v->map_len);
fail:
	free(v);
	return err;
}

SND_PCM_PLUGIN_SYMBOL(vcard);
