// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * MPA: startup frames, negotiation, framing, markers (RFC 5044, RFC 6581).
 */
#include "mpa.h"

/* ------------------------------------------------------------ startup --- */

static const char *startup_key(enum mpa_frame type)
{
	return type == MPA_REQUEST ? MPA_KEY_REQ : MPA_KEY_REP;
}

static void put_enhanced(void *dst, const struct mpa_params *p)
{
	struct mpa_enhanced enh;
	u16 ird = p->ird, ord = p->ord;

	if (p->p2p) {
		ird |= MPA_ENH_IRD_P2P;
		ird |= p->rtr & MPA_RTR_SEND ? MPA_ENH_IRD_SEND : 0;
		ord |= p->rtr & MPA_RTR_WRITE ? MPA_ENH_ORD_WRITE : 0;
		ord |= p->rtr & MPA_RTR_READ ? MPA_ENH_ORD_READ : 0;
	}
	enh.ird = cpu_to_be16(ird);
	enh.ord = cpu_to_be16(ord);
	memcpy(dst, &enh, sizeof(enh));
}

static void get_enhanced(const void *src, struct mpa_params *p)
{
	const struct mpa_enhanced *enh = src;
	u16 ird = be16_to_cpu(enh->ird), ord = be16_to_cpu(enh->ord);

	p->p2p = ird & MPA_ENH_IRD_P2P;
	p->rtr = (ird & MPA_ENH_IRD_SEND ? MPA_RTR_SEND : 0) |
		 (ord & MPA_ENH_ORD_WRITE ? MPA_RTR_WRITE : 0) |
		 (ord & MPA_ENH_ORD_READ ? MPA_RTR_READ : 0);
	p->ird = ird & MPA_ENH_DEPTH;
	p->ord = ord & MPA_ENH_DEPTH;
}

static bool params_valid(const struct mpa_params *p)
{
	if (p->rev != MPA_REV_1 && p->rev != MPA_REV_2)
		return false;
	if (!p->enhanced)
		return true;
	return p->rev == MPA_REV_2 && p->ird <= MPA_ENH_DEPTH &&
	       p->ord <= MPA_ENH_DEPTH;
}

static u8 startup_flags(enum mpa_frame type, const struct mpa_params *p)
{
	return (p->markers ? MPA_FLAG_MARKERS : 0) |
	       (p->crc ? MPA_FLAG_CRC : 0) |
	       (p->reject && type == MPA_REPLY ? MPA_FLAG_REJECT : 0) |
	       (p->enhanced ? MPA_FLAG_ENHANCED : 0);
}

int mpa_startup_encode(void *buf, size_t size, enum mpa_frame type,
		       const struct mpa_params *p, const void *pdata)
{
	u16 enh_len = p->enhanced ? MPA_ENH_LEN : 0;
	struct mpa_startup hdr;
	u8 *dst = buf;

	if (!params_valid(p) || (p->pd_len && !pdata))
		return -EINVAL;
	if (p->pd_len > mpa_pd_max(p->enhanced) ||
	    size < (size_t)MPA_STARTUP_LEN + enh_len + p->pd_len)
		return -EMSGSIZE;

	memcpy(hdr.key, startup_key(type), MPA_KEY_LEN);
	hdr.flags = startup_flags(type, p);
	hdr.rev = p->rev;
	hdr.pd_len = cpu_to_be16(enh_len + p->pd_len);
	memcpy(dst, &hdr, sizeof(hdr));
	dst += sizeof(hdr);
	if (p->enhanced)
		put_enhanced(dst, p);
	dst += enh_len;
	if (p->pd_len)
		memcpy(dst, pdata, p->pd_len);
	return MPA_STARTUP_LEN + enh_len + p->pd_len;
}

static enum iw_err check_key(const u8 *key, enum mpa_frame expect)
{
	enum mpa_frame other = expect == MPA_REQUEST ? MPA_REPLY : MPA_REQUEST;

	if (!memcmp(key, startup_key(expect), MPA_KEY_LEN))
		return IW_OK;
	if (!memcmp(key, startup_key(other), MPA_KEY_LEN))
		return IW_ERR_MPA_ROLE;
	return IW_ERR_MPA_KEY;
}

enum iw_err mpa_startup_check(const void *hdr, enum mpa_frame expect,
			      u16 *pd_len)
{
	const struct mpa_startup *h = hdr;
	u16 len = be16_to_cpu(h->pd_len);
	enum iw_err err;

	err = check_key(h->key, expect);
	if (err)
		return err;
	/* revision 0 would mean version 0 of DDP and RDMAP (RFC 5044 App. C) */
	if (h->rev != MPA_REV_1 && h->rev != MPA_REV_2)
		return IW_ERR_MPA_REV;
	if (len > MPA_PD_MAX)
		return IW_ERR_MPA_PD_LEN;
	/* below revision 2 the S bit is one of the reserved bits (MPA-18) */
	if (h->rev >= MPA_REV_2 && h->flags & MPA_FLAG_ENHANCED &&
	    len < MPA_ENH_LEN)
		return IW_ERR_MPA_ENHANCED;
	*pd_len = len;
	return IW_OK;
}

enum iw_err mpa_startup_decode(const void *buf, size_t len,
			       enum mpa_frame expect, struct mpa_params *p,
			       const void **pdata)
{
	const struct mpa_startup *h = buf;
	const u8 *pd = (const u8 *)buf + MPA_STARTUP_LEN;
	enum iw_err err;
	u16 pd_len;

	if (len < (size_t)MPA_STARTUP_LEN)
		return IW_ERR_MPA_PD_LEN;
	err = mpa_startup_check(buf, expect, &pd_len);
	if (err)
		return err;
	if (len - MPA_STARTUP_LEN < pd_len)
		return IW_ERR_MPA_PD_LEN;

	memset(p, 0, sizeof(*p));
	p->rev = h->rev;
	p->markers = h->flags & MPA_FLAG_MARKERS;
	p->crc = h->flags & MPA_FLAG_CRC;
	p->reject = expect == MPA_REPLY && h->flags & MPA_FLAG_REJECT;
	p->enhanced = h->rev >= MPA_REV_2 && h->flags & MPA_FLAG_ENHANCED;
	if (p->enhanced) {
		get_enhanced(pd, p);
		pd += MPA_ENH_LEN;
		pd_len -= MPA_ENH_LEN;
	}
	p->pd_len = pd_len;
	*pdata = pd;
	return IW_OK;
}

/* -------------------------------------------------------- negotiation --- */

static u16 own_ird(const struct mpa_config *cfg)
{
	return min_t(u16, cfg->ird, cfg->max_ird);
}

static u16 own_ord(const struct mpa_config *cfg)
{
	return min_t(u16, cfg->ord, cfg->max_ord);
}

/* One type out of @mask: the preferred one, else Write, Read, Send. */
static u8 rtr_choose(u8 mask, u8 prefer)
{
	if (mask & prefer)
		return mask & prefer;
	if (mask & MPA_RTR_WRITE)
		return MPA_RTR_WRITE;
	if (mask & MPA_RTR_READ)
		return MPA_RTR_READ;
	return mask & MPA_RTR_SEND;
}

void mpa_request(const struct mpa_config *cfg, struct mpa_params *req)
{
	memset(req, 0, sizeof(*req));
	req->rev = cfg->enhanced ? MPA_REV_2 : MPA_REV_1;
	req->markers = cfg->markers;
	req->crc = cfg->crc;
	req->enhanced = cfg->enhanced;
	if (!cfg->enhanced)
		return;
	req->p2p = cfg->p2p;
	req->ird = min_t(u16, own_ird(cfg), MPA_DEPTH_NONE - 1);
	req->ord = min_t(u16, own_ord(cfg), MPA_DEPTH_NONE - 1);
	if (!cfg->p2p)
		return;
	req->rtr = cfg->rtr & MPA_RTR_ALL;
	/* an RTR Read needs a slot on the other side (RFC 6581 9.1, T-06) */
	if (req->rtr & MPA_RTR_READ && !req->ord)
		req->ord = 1;
}

/* IRD of the Reply and of our stream, given what the Initiator may send. */
static void respond_ird(const struct mpa_config *cfg,
			const struct mpa_params *req, struct mpa_params *rep,
			struct mpa_settings *set)
{
	set->ird = own_ird(cfg);
	if (req->ord != MPA_DEPTH_NONE)
		set->ird = max_t(u16, set->ird,
				 min_t(u16, req->ord, cfg->max_ird));
	set->ird = min_t(u16, set->ird, MPA_DEPTH_NONE - 1);
	if (rep->rtr & MPA_RTR_READ && !set->ird)
		set->ird = 1;
	rep->ird = req->ord == MPA_DEPTH_NONE ? MPA_DEPTH_NONE : set->ird;
}

static void respond_ord(const struct mpa_config *cfg,
			const struct mpa_params *req, struct mpa_params *rep,
			struct mpa_settings *set)
{
	set->ord = min_t(u16, own_ord(cfg), MPA_DEPTH_NONE - 1);
	if (req->ird != MPA_DEPTH_NONE)
		set->ord = min_t(u16, set->ord, req->ird);
	rep->ord = req->ird == MPA_DEPTH_NONE ? MPA_DEPTH_NONE : set->ord;
}

/* The one RTR type to grant; something we have if nothing is in common. */
static u8 respond_rtr(const struct mpa_config *cfg,
		      const struct mpa_params *req)
{
	u8 have = cfg->rtr & MPA_RTR_ALL;
	u8 common;

	if (!req->p2p)
		return 0;
	if (!cfg->max_ird)
		have &= ~MPA_RTR_READ;
	if (!have)
		have = MPA_RTR_WRITE;	/* no receiver can fail to take it */
	common = have & req->rtr;
	return rtr_choose(common ? common : have, cfg->rtr_prefer);
}

/*
 * An unenhanced Reply has revision 1 even to a Request of revision 2: some
 * peers look for the enhanced header in every frame of revision 2 (T-07).
 */
static enum iw_err respond_common(const struct mpa_config *cfg,
				  const struct mpa_params *req,
				  struct mpa_params *rep)
{
	if (req->enhanced && !cfg->enhanced)
		return IW_ERR_MPA_REV;
	memset(rep, 0, sizeof(*rep));
	rep->rev = req->enhanced ? MPA_REV_2 : MPA_REV_1;
	rep->enhanced = req->enhanced;
	rep->markers = cfg->markers;
	/* some Initiators want to see the bit that their own decides (T-16) */
	rep->crc = cfg->crc || req->crc;
	if (req->enhanced) {
		rep->p2p = req->p2p;
		rep->rtr = respond_rtr(cfg, req);
	}
	return IW_OK;
}

enum iw_err mpa_respond(const struct mpa_config *cfg,
			const struct mpa_params *req, struct mpa_params *rep,
			struct mpa_settings *set)
{
	enum iw_err err = respond_common(cfg, req, rep);

	memset(set, 0, sizeof(*set));
	if (err)
		return err;
	set->rev = rep->rev;
	set->crc = rep->crc;
	set->tx_markers = req->markers;
	set->rx_markers = rep->markers;
	set->hold = true;
	if (!req->enhanced) {
		set->ird = own_ird(cfg);
		set->ord = own_ord(cfg);
		return IW_OK;
	}
	set->enhanced = true;
	set->p2p = rep->p2p;
	set->rtr = rep->rtr;
	set->peer_ird = req->ird;
	set->peer_ord = req->ord;
	respond_ird(cfg, req, rep, set);
	respond_ord(cfg, req, rep, set);
	return IW_OK;
}

enum iw_err mpa_respond_reject(const struct mpa_config *cfg,
			       const struct mpa_params *req,
			       struct mpa_params *rep)
{
	enum iw_err err = respond_common(cfg, req, rep);

	if (err)
		return err;
	rep->reject = true;
	if (!req->enhanced)
		return IW_OK;
	rep->ird = min_t(u16, own_ird(cfg), MPA_DEPTH_NONE - 1);
	rep->ord = min_t(u16, own_ord(cfg), MPA_DEPTH_NONE - 1);
	return IW_OK;
}

static enum iw_err conclude_depths(const struct mpa_config *cfg,
				   const struct mpa_params *rep,
				   struct mpa_settings *set)
{
	if (rep->ird != MPA_DEPTH_NONE)
		set->ord = min_t(u16, set->ord, rep->ird);
	if (rep->ord == MPA_DEPTH_NONE || rep->ord <= set->ird)
		return IW_OK;
	if (rep->ord > cfg->max_ird)
		return IW_ERR_MPA_IRD;
	set->ird = rep->ord;
	return IW_OK;
}

/*
 * What the Reply names is decisive, also beyond what was offered (T-03, T-05).
 * A Read needs a slot at the Responder.
 */
static enum iw_err conclude_rtr(const struct mpa_config *cfg,
				const struct mpa_params *rep,
				struct mpa_settings *set)
{
	u8 mask = cfg->rtr & rep->rtr;

	if (!rep->enhanced || !rep->p2p)
		return IW_ERR_MPA_RTR;
	if (!rep->ird)
		mask &= ~MPA_RTR_READ;
	set->p2p = true;
	set->rtr = rtr_choose(mask, cfg->rtr_prefer);
	return set->rtr ? IW_OK : IW_ERR_MPA_RTR;
}

enum iw_err mpa_conclude(const struct mpa_config *cfg,
			 const struct mpa_params *req,
			 const struct mpa_params *rep,
			 struct mpa_settings *set)
{
	enum iw_err err;

	memset(set, 0, sizeof(*set));
	if (rep->enhanced && !req->enhanced)
		return IW_ERR_MPA_ENHANCED;
	set->rev = min_t(u8, req->rev, rep->rev);
	set->enhanced = rep->enhanced;
	set->crc = req->crc || rep->crc;
	set->tx_markers = rep->markers;
	set->rx_markers = req->markers;
	set->ird = own_ird(cfg);
	set->ord = own_ord(cfg);
	set->peer_ird = rep->ird;
	set->peer_ord = rep->ord;
	if (rep->reject)
		return IW_ERR_REJECTED;
	if (rep->enhanced) {
		err = conclude_depths(cfg, rep, set);
		if (err)
			return err;
	}
	return req->p2p ? conclude_rtr(cfg, rep, set) : IW_OK;
}

/* ------------------------------------------------------------ framing --- */

static u32 clamp_mulpdu(u32 emss, u32 overhead)
{
	if (emss < overhead + MPA_MULPDU_MIN)
		return MPA_MULPDU_MIN;
	return min_t(u32, emss - overhead, MPA_ULPDU_MAX);
}

u32 mpa_mulpdu(u32 emss, bool markers)
{
	u32 overhead = MPA_LEN_SIZE + MPA_CRC_SIZE + emss % 4;

	if (markers)
		overhead += emss / MPA_MARKER_SPACE * MPA_MARKER_SIZE +
			    (emss % MPA_MARKER_SPACE ? MPA_MARKER_SIZE : 0);
	return clamp_mulpdu(emss, overhead);
}

u32 mpa_mulpdu_at(u32 emss, u32 pos)
{
	u32 overhead = MPA_LEN_SIZE + MPA_CRC_SIZE;
	u32 gap = mpa_marker_gap(pos);

	emss &= ~3u;
	if (emss > gap)
		overhead += ((emss - gap - 1) / MPA_MARKER_SPACE + 1) *
			    MPA_MARKER_SIZE;
	return clamp_mulpdu(emss, overhead);
}

u32 mpa_seal(void *fpdu, bool crc_on)
{
	u32 ulpdu_len = mpa_get_len(fpdu);
	u32 size = mpa_fpdu_size(ulpdu_len);
	u8 *p = fpdu;
	u8 *crc = p + size - MPA_CRC_SIZE;
	u8 *pad = p + MPA_LEN_SIZE + ulpdu_len;

	/* so few that a call would cost more */
	while (pad < crc)
		*pad++ = 0;
	if (crc_on)
		mpa_crc_put(crc, mpa_crc_add(MPA_CRC_INIT, p, crc - p));
	else
		memset(crc, 0, MPA_CRC_SIZE);
	return size;
}

/* ------------------------------------------------------------ markers --- */

/*
 * Stream octets from ULPDU_Length to a marker at @off of an FPDU that begins
 * with a marker itself if @len_off is not 0.
 */
static u16 fpduptr(u32 off, u32 len_off)
{
	return off > len_off ? off - len_off : 0;
}

static void put_marker(void *dst, u16 ptr)
{
	struct mpa_marker m = { .fpduptr = cpu_to_be16(ptr) };

	memcpy(dst, &m, sizeof(m));
}

u32 mpa_mark(void *dst, const void *fpdu, u32 pos, bool crc_on)
{
	u32 size = mpa_fpdu_size(mpa_get_len(fpdu));
	u32 gap = mpa_marker_gap(pos);
	u32 len_off = gap ? 0 : MPA_MARKER_SIZE;
	u32 done = 0, out = 0, chunk;
	const u8 *src = fpdu;
	u8 *d = dst;

	while (done < size) {
		if (!gap) {
			put_marker(d + out, fpduptr(out, len_off));
			out += MPA_MARKER_SIZE;
			gap = MPA_MARKER_SPACE - MPA_MARKER_SIZE;
		}
		chunk = min_t(u32, gap, size - done);
		memcpy(d + out, src + done, chunk);
		done += chunk;
		out += chunk;
		gap -= chunk;
	}
	if (crc_on)
		mpa_crc_put(d + out - MPA_CRC_SIZE,
			    mpa_crc_add(MPA_CRC_INIT, d, out - MPA_CRC_SIZE));
	else
		memset(d + out - MPA_CRC_SIZE, 0, MPA_CRC_SIZE);
	return out;
}

static enum iw_err check_markers(const u8 *src, u32 pos,
				 const struct mpa_view *v)
{
	const struct mpa_marker *m;
	u32 off;

	for (off = mpa_marker_gap(pos); off < v->wire; off += MPA_MARKER_SPACE) {
		m = (const void *)(src + off);
		if ((be16_to_cpu(m->fpduptr) & MPA_FPDUPTR_MASK) !=
		    fpduptr(off, v->len_off))
			return IW_ERR_MARKER;
	}
	return IW_OK;
}

enum iw_err mpa_unmark(void *dst, const void *src, u32 pos,
		       const struct mpa_view *v, bool crc_on)
{
	u32 gap = mpa_marker_gap(pos);
	const u8 *s = src;
	u32 done = 0, in = 0, chunk;
	enum iw_err err;
	u8 *d = dst;

	if (crc_on && !mpa_crc_ok(s + v->wire - MPA_CRC_SIZE,
				  mpa_crc_add(MPA_CRC_INIT, s,
					      v->wire - MPA_CRC_SIZE)))
		return IW_ERR_CRC;
	err = check_markers(s, pos, v);
	if (err)
		return err;
	while (done < v->size) {
		if (!gap) {
			in += MPA_MARKER_SIZE;
			gap = MPA_MARKER_SPACE - MPA_MARKER_SIZE;
		}
		chunk = min_t(u32, gap, v->size - done);
		memmove(d + done, s + in, chunk);
		done += chunk;
		in += chunk;
		gap -= chunk;
	}
	return IW_OK;
}
