// The partner's endpoint. The lines below `exports.fetchData` are the guide's, as printed; above them is what it leaves out.
const functions = require('firebase-functions');
const admin = require('firebase-admin');

admin.initializeApp();

exports.fetchData = functions.https.onRequest(async (req, res) => {
    try {
        const demo = await admin.firestore().collection('demo').get();
        const results = demo.docs.map(doc => ({
            name: doc.data().name
        }));
        res.status(200).json(results);
    } catch (error) {
        if (error.message === 'Unauthorized') {
            return res.status(401).send('Unauthorized');
        } else if (error.message === 'Forbidden') {
            return res.status(403).send('Forbidden');
        }
        console.error('Error:', error);
        res.status(500).json({ error: 'Internal Server Error' });
    }
});
