/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What `rdma resource show ... -dd` tells beyond the core's own columns.
 */
#ifndef _SIW_RESTRACK_H
#define _SIW_RESTRACK_H

struct ib_cq;
struct ib_mr;
struct ib_qp;
struct ib_srq;
struct sk_buff;

int siw_fill_res_qp(struct sk_buff *msg, struct ib_qp *qp);
int siw_fill_res_cq(struct sk_buff *msg, struct ib_cq *cq);
int siw_fill_res_mr(struct sk_buff *msg, struct ib_mr *mr);
int siw_fill_res_srq(struct sk_buff *msg, struct ib_srq *srq);

#endif
